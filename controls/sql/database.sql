-- One database as it is: who owns and who may what, and what could carry rows elsewhere. One JSON document.
SELECT jsonb_pretty(jsonb_build_object(
  'schemas', (
    SELECT jsonb_object_agg(nspname, jsonb_build_object(
      'owner', pg_get_userbyid(nspowner),
      'grants', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege_type)), '[]')
        FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner))))))
    FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
  'relations', (
    SELECT coalesce(jsonb_object_agg(format('%s.%s', nspname, relname), jsonb_build_object(
      'kind', relkind,
      'owner', pg_get_userbyid(relowner),
      'extension', (
        SELECT extname FROM pg_depend JOIN pg_extension ON pg_extension.oid = refobjid
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND refclassid = 'pg_extension'::regclass AND deptype = 'e'),
      'grants', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege_type)), '[]')
        FROM aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)))),
      'triggers', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(tgname, tgenabled)), '[]')
        FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal))), '{}')
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
  -- Rights to single columns, what rewrites statements, and code of somebody else than the database's owner.
  'columns', (
    SELECT coalesce(jsonb_agg(jsonb_build_array(format('%s.%s', nspname, relname), attname,
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege_type)), '[]')
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace,
      aclexplode(attacl)
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
  'rules', (
    SELECT coalesce(jsonb_agg(jsonb_build_array(format('%s.%s', schemaname, tablename), rulename)), '[]')
    FROM pg_rules WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'),
  'functions', (
    SELECT coalesce(jsonb_agg(jsonb_build_array(format('%s.%s', nspname, proname), pg_get_userbyid(proowner), prosecdef)), '[]')
    FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS (
      SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')),
  -- How passwords are stored, counted in every column that is called so; no hash leaves the server.
  'passwords', (
    SELECT coalesce(jsonb_object_agg(place, found), '{}') FROM (
        SELECT format('%s.%s.%s', table_schema, table_name, column_name) AS place, (
          SELECT coalesce(jsonb_object_agg(kind, n), '{}') FROM xmltable('/table/row' PASSING query_to_xml(format(
            $count$ SELECT CASE
                WHEN %1$I ~ '^(bcrypt[a-z0-9_]*)?[$]+2[aby][$][0-9]{2}[$]' THEN 'bcrypt:' || substring(%1$I from '[$]2[aby][$]([0-9]{2})[$]')
                WHEN %1$I ~ '^!' THEN 'unusable' ELSE 'other' END AS kind, count(*) AS n FROM %2$I.%3$I GROUP BY 1 $count$,
            column_name, table_schema, table_name), false, false, '') COLUMNS kind text, n bigint)) AS found
        FROM information_schema.columns
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND column_name ILIKE '%password%'
          AND data_type IN ('text', 'character varying')) AS columns),
  'outgoing', jsonb_build_object(
    'publications', (SELECT coalesce(jsonb_agg(pubname), '[]') FROM pg_publication),
    'servers', (SELECT coalesce(jsonb_agg(srvname), '[]') FROM pg_foreign_server),
    'extensions', (SELECT coalesce(jsonb_agg(extname), '[]') FROM pg_extension)),
  -- Each with the ones it needs.
  'extensions', (
    SELECT coalesce(jsonb_object_agg(extname, (
      SELECT coalesce(jsonb_agg(needed.extname), '[]') FROM pg_depend JOIN pg_extension AS needed ON needed.oid = refobjid
      WHERE classid = 'pg_extension'::regclass AND refclassid = classid AND objid = pg_extension.oid)), '{}')
    FROM pg_extension WHERE extname <> 'plpgsql'),
  'languages', (SELECT coalesce(jsonb_agg(lanname), '[]') FROM pg_language WHERE NOT lanpltrusted AND lanispl)));
