-- psql -v scale=N: 6 tenants, each with 10 N projects, 50 N tasks and 100 N comments.

create temporary table tenants as select * from unnest(array['acme', 'acme:eu', '100%', '%3A', 'büro "1"', 'a:b:c'])
    with ordinality as t (tenant_id, n);
insert into tenant (tenant_id, name) select tenant_id, 'Tenant ' || n from tenants;
insert into app_user (tenant_id, id, display_name, api_token)
    select tenant_id, (array['user', 'user:', '%', 'a b', 'ü%:'])[1 + k % 5] || k, 'User ' || k, md5(tenant_id || k)
    from tenants, generate_series(1, 8) as k;
insert into project (tenant_id, id, name, archived, settings)
    select tenant_id, k, 'Project ' || k, k % 6 = 0, jsonb_build_object('color', k, 'tags', jsonb_build_array('x', n))
    from tenants, generate_series(1, 10 * :scale) as k;
insert into task (tenant_id, project_id, assignee_id, reporter_id, title, position, done, estimate)
    select tenant_id, 1 + k % (10 * :scale), case when k % 4 <> 0 then users.ids[1 + k % 8] end, users.ids[1 + k % 3],
           'Task ' || k, k % 5, k % 3 = 0, k * interval '5 minutes'
    from tenants join (select tenant_id, array_agg(id order by id) as ids from app_user group by 1) as users using (tenant_id),
         generate_series(1, 50 * :scale) as k
    order by tenant_id, k;
insert into label (tenant_id, name, colour)
    select tenant_id, (array['bug', 'priority:high', '50%', 'a%3Ab', 'ä "b"'])[k], 'colour ' || k
    from tenants, generate_series(1, 5) as k;
insert into task_label (tenant_id, task_id, label_name)
    select task.tenant_id, task.id, label.name from task join label using (tenant_id)
    where (task.id + length(label.name)) % 3 = 0;
insert into comment (tenant_id, id, task_id, author_id, body)
    select tenant_id, row_number() over (order by tenant_id, id, k), id, case when k = 1 then assignee_id end,
           'Comment ' || k || ' on ' || id
    from task, generate_series(1, 2) as k;
select setval('comment_id', max(id)) from comment \g /dev/null
drop table tenants;
