-- The log only grows: time and database role are the server's own, no row is changed or removed, the table is never
-- emptied. ALWAYS: also in a session that plays replica.
CREATE FUNCTION activity_stamp() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.database_role := session_user;
    RETURN NEW;
END $$;

CREATE FUNCTION activity_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is not possible', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER activity_stamp BEFORE INSERT ON activity_activity
    FOR EACH ROW EXECUTE FUNCTION activity_stamp();
CREATE TRIGGER activity_no_change BEFORE UPDATE OR DELETE ON activity_activity
    FOR EACH STATEMENT EXECUTE FUNCTION activity_refuse();
CREATE TRIGGER activity_no_truncation BEFORE TRUNCATE ON activity_activity
    FOR EACH STATEMENT EXECUTE FUNCTION activity_refuse();
ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_stamp;
ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_no_change;
ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_no_truncation;
