-- One random transaction over all tables of this schema.
create function random_write(seed bigint, truncates boolean) returns void
language plpgsql as $$
declare
    a_tenant text;
    a_user text; -- this and what follows are of that tenant
    a_project integer;
    a_task bigint;
    a_label text;
    a_comment bigint;
begin
    perform testing.seed(seed);
    perform testing.prune('app_user', 'tenant_id, id', 120);
    perform testing.prune('task', 'tenant_id, id', 900);
    perform testing.prune('label', 'tenant_id, name', 100);
    perform testing.prune('comment', 'tenant_id, id', 1000);
    for i in 1 .. 1 + testing.below(4) loop
        a_tenant := testing.pick('tenant', 'tenant_id');
        select id from app_user where tenant_id = a_tenant order by random() limit 1 into a_user;
        select id from project where tenant_id = a_tenant order by random() limit 1 into a_project;
        select id from task where tenant_id = a_tenant order by random() limit 1 into a_task;
        select name from label where tenant_id = a_tenant order by random() limit 1 into a_label;
        select id from comment where tenant_id = a_tenant order by random() limit 1 into a_comment;
        case testing.below(29)
        when 0 then
            insert into tenant (tenant_id, name) select 'new:' || seed % 50, testing.word()
                where (select count(*) from tenant) < 9 on conflict do nothing;
        when 1 then update tenant set name = testing.word() where tenant_id = a_tenant;
        when 2 then update tenant set requests = requests + 1; -- which nobody reads
        when 3 then
            if testing.chance(0.3) then
                update tenant set tenant_id = (array['acme:eu', '100%', '%3A', 'a:b:c', '%', ':'])[1 + testing.below(6)]
                    where tenant_id = a_tenant and not exists (select from tenant where tenant_id in ('%', ':'));
            elsif (select count(*) from tenant) > 4 and testing.chance(0.2) then
                delete from tenant where tenant_id = a_tenant;
            end if;
        when 4 then
            insert into app_user (tenant_id, id, display_name)
                select distinct on (id) a_tenant, id, testing.word() from unnest(array[testing.word(), testing.word()]) as id
                where a_tenant is not null
                on conflict (tenant_id, id) do update set display_name = excluded.display_name;
        when 5, 6 then update app_user set display_name = testing.word() where tenant_id = a_tenant and id = a_user;
        when 7 then update app_user set last_seen_at = clock_timestamp(), api_token = 'x' where tenant_id = a_tenant;
        when 8 then
            if testing.chance(0.6) then
                update app_user set id = 'moved:' || clock_timestamp() where tenant_id = a_tenant and id = a_user;
            else
                delete from app_user where tenant_id = a_tenant and id = a_user;
            end if;
        when 9, 10 then
            insert into project (tenant_id, id, name)
                select a_tenant, 1 + testing.below(30), testing.word() where a_tenant is not null on conflict do nothing;
        when 11 then update project set name = testing.word() where tenant_id = a_tenant and id = a_project;
        when 12 then update project set archived = not archived where tenant_id = a_tenant and id = a_project;
        when 13 then
            update project set touched_at = clock_timestamp();
            update project set settings = settings || jsonb_build_object('seed', seed)
                where tenant_id = a_tenant and id = a_project;
        when 14 then
            delete from project where tenant_id = a_tenant and id = a_project and testing.chance(0.5);
        when 15, 16, 17 then
            insert into task (tenant_id, project_id, assignee_id, reporter_id, title)
                select a_tenant, a_project, a_user, a_user, testing.word() from generate_series(0, testing.below(5))
                where a_project is not null;
        when 18 then
            update task set project_id = a_project, assignee_id = a_user
                where tenant_id = a_tenant and id = a_task and a_project is not null;
        when 19 then update task set title = testing.word(), done = not done where tenant_id = a_tenant and id = a_task;
        when 20 then update task set position = testing.below(5) where project_id = a_project; -- of every tenant
        when 21 then delete from task where tenant_id = a_tenant and id = a_task;
        when 22 then
            insert into label (tenant_id, name) select a_tenant, testing.word() where a_tenant is not null
                on conflict (tenant_id, name) do update set colour = testing.word();
        when 23 then
            if testing.chance(0.3) then
                delete from label where tenant_id = a_tenant and name = a_label;
            else
                update label set colour = testing.word() where tenant_id = a_tenant;
                update label set name = a_label || '%:' where tenant_id = a_tenant and name = a_label
                    and length(name) < 20;
            end if;
        when 24 then
            insert into task_label (tenant_id, task_id, label_name)
                select tenant_id, id, a_label from task where tenant_id = a_tenant and a_label is not null
                order by random() limit 3 on conflict do nothing;
        when 25 then
            if truncates and testing.chance(0.05) then
                truncate comment, task_label;
            end if;
            delete from task_label where tenant_id = a_tenant and task_id = a_task;
            update task_label set task_id = a_task
                where tenant_id = a_tenant and label_name = a_label and a_task is not null
                  and task_id = (select min(task_id) from task_label where tenant_id = a_tenant and label_name = a_label)
                  and not exists (select from task_label
                                  where tenant_id = a_tenant and label_name = a_label and task_id = a_task);
        when 26 then
            insert into comment (tenant_id, task_id, author_id, body)
                select tenant_id, id, a_user, testing.word() from task where tenant_id = a_tenant
                order by random() limit 1 + testing.below(20);
        when 27 then
            update comment set body = testing.word(), author_id = a_user where tenant_id = a_tenant and id = a_comment;
            update comment set edited = edited + 1;
        when 28 then
            update comment set task_id = coalesce(a_task, task_id) where tenant_id = a_tenant and id = a_comment;
            delete from comment where tenant_id = a_tenant and id % 40 = a_comment % 40 and testing.chance(0.5);
        end case;
        perform testing.doze();
    end loop;
end
$$;
