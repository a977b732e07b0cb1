-- What saas/declaration.json means, by hand.
with escaped as (
    select tenant_id, replace(replace(tenant_id, '%', '%25'), ':', '%3A') as tenant from tenant
)
select 'project:' || escaped.tenant || ':' || p.id as key, row_to_json(document) as document
from project p join escaped using (tenant_id), lateral (
    select p.tenant_id, p.id, p.name, p.settings,
           (select one from (select t.name, t.plan from tenant t where t.tenant_id = p.tenant_id) as one) as tenant,
           array(select line from (
               select t.id, t.title, t.done, t.estimate,
                      (select one from (
                          select u.id, u.display_name from app_user u
                          where (u.tenant_id, u.id) = (t.tenant_id, t.assignee_id)
                      ) as one) as assignee,
                      array(select line from (
                          select l.name, l.colour
                          from task_label tl join label l on (l.tenant_id, l.name) = (tl.tenant_id, tl.label_name)
                          where (tl.tenant_id, tl.task_id) = (t.tenant_id, t.id) order by l.tenant_id, l.name
                      ) as line) as labels,
                      array(select line from (
                          select c.body, (
                              select one from (
                                  select u.display_name from app_user u
                                  where (u.tenant_id, u.id) = (c.tenant_id, c.author_id)
                              ) as one
                          ) as author
                          from comment c where (c.tenant_id, c.task_id) = (t.tenant_id, t.id) order by c.tenant_id, c.id
                      ) as line) as comments
               from task t where (t.tenant_id, t.project_id) = (p.tenant_id, p.id) order by t.position, t.id
           ) as line) as tasks
) as document
where not p.archived
union all
select 'user:' || escaped.tenant || ':' || replace(replace(u.id, '%', '%25'), ':', '%3A'), row_to_json(document)
from app_user u join escaped using (tenant_id), lateral (
    select u.id, u.display_name as name,
           array(select line from (
               select t.id, t.title, (
                   select one from (
                       select p.id, p.name from project p where (p.tenant_id, p.id) = (t.tenant_id, t.project_id)
                   ) as one
               ) as project
               from task t where (t.tenant_id, t.assignee_id) = (u.tenant_id, u.id) and not t.done
               order by t.tenant_id, t.id
           ) as line) as open
) as document
union all
select 'tenant:' || t.tenant_id, row_to_json(document)
from tenant t, lateral (
    select t.name,
           array(select line from (
               select l.name from label l where l.tenant_id = t.tenant_id order by l.tenant_id, l.name
           ) as line) as labels
) as document;
