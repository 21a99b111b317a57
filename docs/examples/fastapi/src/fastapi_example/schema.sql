-- Run by every release, as the owner of the database.
CREATE TABLE IF NOT EXISTS member (
    email text PRIMARY KEY,
    password text NOT NULL,
    staff boolean NOT NULL DEFAULT false,
    active boolean NOT NULL DEFAULT true
);
CREATE TABLE IF NOT EXISTS note (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member text NOT NULL REFERENCES member,
    content text NOT NULL
);
CREATE TABLE IF NOT EXISTS help (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    email text NOT NULL,
    content text NOT NULL
);
CREATE TABLE IF NOT EXISTS activity (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    what text NOT NULL,
    target text NOT NULL
);

-- Activity can be added to, and nothing else: nobody but the owner may change it, and a trigger keeps the owner from it.
REVOKE UPDATE, DELETE, TRUNCATE ON activity FROM PUBLIC;
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT pg_get_userbyid(acl.grantee)
        FROM pg_class, aclexplode(relacl) AS acl
        WHERE pg_class.oid = 'activity'::regclass AND acl.grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON activity FROM %I', grantee);
    END LOOP;
END $$;
CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'activity can only be added to'; END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON activity
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
ALTER TABLE activity ENABLE ALWAYS TRIGGER append_only;
