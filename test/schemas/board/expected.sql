-- What board/declaration.json means, by hand. A self reference stands in itself "depth" times, and the last one ends it.
select 'thread:' || t.gid as key, row_to_json(document) as document
from thread t, lateral (
    select t.gid, t.title,
           (select one from (select b.slug, b.title from board b where b.id = t.board_id) as one) as board,
           (select one from (select m.gid, m.name from member m where m.id = t.author_id) as one) as author,
           (select one from (select m.name from member m where m.id = t.closer_id) as one) as closed_by,
           array(select line from (
               select g.name from thread_tag tg join tag g on g.id = tg.tag_id where tg.thread_id = t.id order by g.name
           ) as line) as tags,
           array(select line from (
               select p.id, p.body, p.meta, p.created_at,
                      (select one from (select m.gid, m.name from member m where m.id = p.author_id) as one) as author,
                      array(select line from (
                          select r.id, r.body,
                                 (select one from (select m.name from member m where m.id = r.author_id) as one) as author,
                                 array(select line from (
                                     select s.id, s.body,
                                            (select one from (select m.name from member m where m.id = s.author_id) as one)
                                                as author,
                                            array(select line from (
                                                select u.id, u.body, (
                                                    select one from (
                                                        select m.name from member m where m.id = u.author_id
                                                    ) as one
                                                ) as author
                                                from post u where u.parent_id = s.id order by u.id
                                            ) as line) as replies
                                     from post s where s.parent_id = r.id order by s.id
                                 ) as line) as replies
                          from post r where r.parent_id = p.id order by r.id
                      ) as line) as replies
               from post p where p.thread_id = t.id and p.parent_id is null order by p.created_at, p.id
           ) as line) as posts
) as document
where not t.hidden
union all
select 'board:' || b.slug, row_to_json(document)
from board b, lateral (
    select b.title,
           array(select line from (
               select c.slug, c.title,
                      array(select line from (
                          select d.slug, d.title from board d where d.parent_id = c.id order by d.title, d.id
                      ) as line) as boards
               from board c where c.parent_id = b.id order by c.title, c.id
           ) as line) as boards,
           array(select line from (
               select t.gid, t.title from thread t where t.board_id = b.id and not t.hidden order by t.id desc
           ) as line) as threads
) as document;
