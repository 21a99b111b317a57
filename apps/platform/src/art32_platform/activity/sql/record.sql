-- Writes one row of the log for each row that is inserted, changed or removed, in the same transaction.
-- Arguments: the kind of record, the column that names the organisation ('' when none does), and columns whose
-- change alone is not worth a row. Who and from where: set by the platform for each request (attribution.py); without
-- it the database's own knowledge of the connection remains. The definer's rights, so that whoever may change a record
-- needs no right on the log.
CREATE OR REPLACE FUNCTION activity_record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    becomes jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    row_now jsonb := coalesce(becomes, was);
    changed jsonb := '{}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_build_object('fields', jsonb_agg(key ORDER BY key)) INTO changed
            FROM jsonb_each(becomes)
            WHERE value IS DISTINCT FROM was -> key AND NOT key = ANY (TG_ARGV[2:]);
        IF changed -> 'fields' = 'null' THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO activity_activity (account, origin, action, kind, record, entity, detail) VALUES (
        coalesce(current_setting('art32.account', true), ''),
        coalesce(nullif(current_setting('art32.origin', true), '')::inet, inet_client_addr()),
        CASE TG_OP WHEN 'INSERT' THEN 'insert' WHEN 'UPDATE' THEN 'change' ELSE 'removal' END,
        TG_ARGV[0],
        row_now ->> 'id',
        (row_now ->> TG_ARGV[1])::uuid,
        changed
    );
    RETURN NULL;
END $$;
