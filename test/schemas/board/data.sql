-- psql -v scale=N: 100 N threads with 500 N posts; posts 6 to 500 N answer one another, up to five deep.

insert into member (gid, name, email, password_hash)
    select md5('member ' || n)::uuid, 'Member ' || n, n || '@example.org', md5(n::text)
    from generate_series(1, 50 * :scale) as n;
insert into board (slug, title, parent_id)
    select 'board:' || n || '/50%', 'Board ' || n, nullif(n / 3, 0) from generate_series(1, 15) as n;
insert into thread (gid, board_id, author_id, closer_id, title, hidden)
    select md5('thread ' || n)::uuid, 1 + n % 15, nullif(n % (50 * :scale), 0), nullif(n % 4, 0), 'Thread ' || n, n % 12 = 0
    from generate_series(1, 100 * :scale) as n;
-- Posts n, n + 100 N, n + 200 N ... are in the same thread.
insert into post (thread_id, parent_id, author_id, body, meta, created_at)
    select 1 + n % (100 * :scale), case when n > 100 * :scale and n % 7 <> 0 then n - 100 * :scale end,
           nullif(n % (50 * :scale), 0), md5(n::text), case when n % 5 = 0 then jsonb_build_object('ip', n, 'é', null) end,
           timestamptz '2025-01-01' + n * interval '1 minute'
    from generate_series(1, 500 * :scale) as n;
insert into tag (name) select 'tag ' || n from generate_series(1, 20) as n;
insert into thread_tag (thread_id, tag_id)
    select distinct n, 1 + (n * 3 + k * 7) % 20 from generate_series(1, 100 * :scale) as n, generate_series(1, n % 4) as k;
