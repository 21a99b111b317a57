select name, setting, sourcefile, pending_restart
  from pg_settings
 where source = 'configuration file' or pending_restart
 union all
select 'pg_hba.conf, line ' || line_number, error, null, null from pg_hba_file_rules where error is not null
 order by 1
