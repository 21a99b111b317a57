-- The cluster as it runs: roles, memberships, databases, loaded pg_hba, archiving. One JSON document.
SELECT jsonb_pretty(jsonb_build_object(
  'roles', (
    SELECT jsonb_object_agg(rolname, jsonb_build_object(
      'login', rolcanlogin,
      'powers', array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreaterole THEN 'createrole' END,
        CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolreplication THEN 'replication' END,
        CASE WHEN rolbypassrls THEN 'bypassrls' END], NULL),
      'password', CASE WHEN rolpassword IS NULL THEN 'none' ELSE split_part(rolpassword, '$', 1) END))
    FROM pg_authid WHERE rolname !~ '^pg_'),
  'memberships', (
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_array(grp.rolname, member.rolname)), '[]')
    FROM pg_auth_members
      JOIN pg_authid grp ON grp.oid = pg_auth_members.roleid
      JOIN pg_authid member ON member.oid = pg_auth_members.member
    WHERE member.rolname !~ '^pg_'),
  'databases', (
    SELECT jsonb_object_agg(datname, jsonb_build_object(
      'owner', pg_get_userbyid(datdba),
      'connections', datallowconn,
      'grants', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege_type)), '[]')
        FROM aclexplode(coalesce(datacl, acldefault('d', datdba))))))
    FROM pg_database),
  'hba', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'line', line_number, 'type', type, 'databases', database, 'users', user_name, 'address', address,
      'netmask', netmask, 'method', auth_method, 'options', options, 'error', error) ORDER BY line_number), '[]')
    FROM pg_hba_file_rules),
  'hba_loaded', (
    -- Also when it was moved back since, as old as it had been.
    SELECT pg_conf_load_time() >= greatest(modification, change) FROM pg_stat_file(current_setting('hba_file'))),
  -- It is asked in the database that every cluster has, in which nothing is kept.
  'strays', (
    SELECT coalesce(jsonb_agg(format('%s.%s', nspname, relname)), '[]')
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'm', 'f') AND NOT EXISTS (
      SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')),
  'settings', (
    SELECT jsonb_object_agg(name, setting) FROM pg_settings
    WHERE name IN ('ssl', 'ssl_min_protocol_version', 'password_encryption', 'archive_mode', 'archive_command', 'wal_level', 'listen_addresses',
      'server_version', 'config_file')),
  -- What is set elsewhere than in the role's file, and whether all the files were loaded as they are.
  'set_elsewhere', (
    SELECT coalesce(jsonb_object_agg(name, sourcefile), '{}') FROM pg_settings
    WHERE sourcefile IS NOT NULL AND sourcefile !~ '/conf[.]d/art32[.]conf$'),
  'settings_loaded', (
    SELECT bool_and(coalesce(pg_conf_load_time() >= greatest(modification, change), false)) -- false: it is gone
    FROM (SELECT DISTINCT sourcefile FROM pg_settings WHERE sourcefile IS NOT NULL) AS files,
      pg_stat_file(sourcefile, true)),
  'own_settings', (
    SELECT coalesce(jsonb_agg(jsonb_build_array(
      CASE setrole WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(setrole) END, coalesce(datname, ''), split_part(setting, '=', 1))), '[]')
    FROM pg_db_role_setting LEFT JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting),
  'archiver', (SELECT to_jsonb(pg_stat_archiver) FROM pg_stat_archiver),
  'waiting_since', (SELECT min(modification) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
  'outgoing', jsonb_build_object(
    'slots', (SELECT coalesce(jsonb_agg(slot_name), '[]') FROM pg_replication_slots),
    'senders', (SELECT coalesce(jsonb_agg(application_name), '[]') FROM pg_stat_replication),
    'subscriptions', (SELECT coalesce(jsonb_agg(subname), '[]') FROM pg_subscription)),
  'now', now()));
