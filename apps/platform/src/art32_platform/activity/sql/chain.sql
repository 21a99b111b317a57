-- Chains the log: each row gets a link with a number without gaps and a hash over the row and the link before. A row
-- that is altered, removed, moved or slipped in later breaks the chain at its place; a tail that is cut off shows in any
-- head that was kept elsewhere. Written when the transaction ends, in the order in which transactions end, so that
-- whoever writes holds the lock for a moment only.
CREATE FUNCTION activity_chain() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    last activity_link;
BEGIN
    PERFORM pg_advisory_xact_lock('activity_link'::regclass::oid::bigint);
    SELECT * INTO last FROM activity_link ORDER BY number DESC LIMIT 1;
    INSERT INTO activity_link (number, activity_id, hash) SELECT
        coalesce(last.number, 0) + 1,
        row_now.id,
        encode(sha256(convert_to(coalesce(last.hash, '') || {canonical}, 'UTF8')), 'hex')
        FROM activity_activity row_now WHERE row_now.id = NEW.id;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION activity_chain() FROM PUBLIC;

-- What was recorded before there was a chain becomes its beginning.
DO $$
DECLARE
    row_now activity_activity;
    number bigint := 0;
    hash text := '';
BEGIN
    FOR row_now IN SELECT * FROM activity_activity ORDER BY id LOOP
        number := number + 1;
        hash := encode(sha256(convert_to(hash || {canonical}, 'UTF8')), 'hex');
        INSERT INTO activity_link (number, activity_id, hash) VALUES (number, row_now.id, hash);
    END LOOP;
END $$;

CREATE CONSTRAINT TRIGGER activity_chain AFTER INSERT ON activity_activity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION activity_chain();
ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_chain;

-- A link is made by the chain alone, and kept as the rows are.
CREATE FUNCTION activity_link_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% is append-only: % is not possible', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER activity_link_insert BEFORE INSERT ON activity_link
    FOR EACH STATEMENT EXECUTE FUNCTION activity_link_guard();
CREATE TRIGGER activity_link_no_change BEFORE UPDATE OR DELETE ON activity_link
    FOR EACH STATEMENT EXECUTE FUNCTION activity_refuse();
CREATE TRIGGER activity_link_no_truncation BEFORE TRUNCATE ON activity_link
    FOR EACH STATEMENT EXECUTE FUNCTION activity_refuse();
ALTER TABLE activity_link ENABLE ALWAYS TRIGGER activity_link_insert;
ALTER TABLE activity_link ENABLE ALWAYS TRIGGER activity_link_no_change;
ALTER TABLE activity_link ENABLE ALWAYS TRIGGER activity_link_no_truncation;
