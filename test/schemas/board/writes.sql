-- One random transaction over all tables of this schema.
create function random_write(seed bigint, truncates boolean) returns void
language plpgsql as $$
declare
    a_member integer;
    a_board integer;
    a_thread bigint;
    a_post bigint;
    a_tag integer;
begin
    perform testing.seed(seed);
    perform testing.prune('member', 'id', 150);
    perform testing.prune('thread', 'id', 300);
    perform testing.prune('post', 'id', 1500);
    perform testing.prune('tag', 'id', 80);
    for i in 1 .. 1 + testing.below(4) loop
        a_member := testing.pick('member', 'id');
        a_board := testing.pick('board', 'id');
        a_thread := testing.pick('thread', 'id');
        a_post := testing.pick('post', 'id');
        a_tag := testing.pick('tag', 'id');
        case testing.below(32)
        when 0, 1 then update member set name = testing.word() where id = a_member;
        when 2 then update member set last_login = clock_timestamp(), touched_at = clock_timestamp();
        when 3 then update member set post_count = post_count + 1, password_hash = 'x' where id % 3 = a_member % 3;
        when 4 then
            insert into member (name, email) values (testing.word(), testing.word());
            if testing.chance(0.6) then
                delete from member where id = a_member;
            end if;
        when 5 then update member set gid = gen_random_uuid() where id = a_member;
        when 6 then
            insert into board (slug, title, parent_id) select 'made ' || clock_timestamp(), testing.word(), a_board
                where (select count(*) from board) < 25;
        when 7 then update board set slug = testing.word() || ':' || clock_timestamp() where id = a_board;
        when 8 then update board set title = testing.word() where id = a_board;
        when 9 then
            update board set parent_id = a_board where id <> a_board and id = testing.pick('board', 'id')::integer;
        when 10 then update board set thread_count = thread_count + 1, touched_at = clock_timestamp();
        when 11 then
            if (select count(*) from board) > 8 and testing.chance(0.3) then
                delete from board where id = a_board;
            end if;
        when 12, 13 then
            with made as (
                insert into thread (board_id, author_id, title)
                    select a_board, a_member, testing.word() where a_board is not null returning id
            ), tagged as (
                insert into thread_tag (thread_id, tag_id) select id, a_tag from made where a_tag is not null
            )
            insert into post (thread_id, author_id, body) select id, a_member, testing.word() from made;
        when 14 then update thread set title = testing.word(), author_id = a_member where id = a_thread;
        when 15 then update thread set board_id = a_board, closer_id = a_member where id = a_thread and a_board is not null;
        when 16 then update thread set hidden = not hidden where id = a_thread;
        when 17 then update thread set views = views + 1, touched_at = clock_timestamp() where id % 2 = a_thread % 2;
        when 18 then update thread set gid = gen_random_uuid() where id = a_thread;
        when 19 then delete from thread where id = a_thread;
        when 20, 21 then
            insert into post (thread_id, parent_id, author_id, body, meta)
                select thread_id, id, a_member, testing.word(), jsonb_build_object(testing.word(), seed)
                from post where id = a_post;
        when 22 then
            insert into post (thread_id, author_id, body) select a_thread, a_member, testing.word()
                from generate_series(1, testing.below(8)) where a_thread is not null;
        when 23 then update post set body = testing.word(), author_id = a_member where id = a_post;
        when 24 then
            -- Under another post, which may be of another thread, or below it.
            update post set parent_id = a_post where id = testing.pick('post', 'id')::bigint and id <> a_post;
        when 25 then
            update post set parent_id = null, thread_id = coalesce(a_thread, thread_id) where id = a_post;
        when 26 then
            update post set touched_at = clock_timestamp();
            update post set body = body || '.' where thread_id = a_thread and length(body) < 40;
        when 27 then delete from post where id = a_post; -- with all that answers it
        when 28 then
            update tag set name = testing.word() || clock_timestamp() where id = a_tag;
        when 29 then
            if testing.chance(0.3) then
                delete from tag where id = a_tag;
            else
                insert into tag (name) values ('made ' || seed % 200) on conflict (name) do nothing;
            end if;
        when 30 then
            insert into thread_tag (thread_id, tag_id)
                select id, a_tag from thread where a_tag is not null order by random() limit 4
                on conflict do nothing;
        when 31 then
            if truncates and testing.chance(0.05) then
                truncate thread_tag;
            else
                update thread_tag set thread_id = a_thread
                    where tag_id = a_tag and a_thread is not null
                      and thread_id = (select min(thread_id) from thread_tag where tag_id = a_tag)
                      and not exists (select from thread_tag where tag_id = a_tag and thread_id = a_thread);
                delete from thread_tag where thread_id = testing.pick('thread', 'id')::bigint;
            end if;
        end case;
        perform testing.doze();
    end loop;
end
$$;
