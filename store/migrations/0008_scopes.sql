-- +goose Up

ALTER TABLE connector_scopes
    ADD COLUMN fresh boolean NOT NULL DEFAULT false,    -- turned on since it was last read: all of it is read, changed or not
    ADD COLUMN removing boolean NOT NULL DEFAULT false; -- off, and what is stored of it is being removed
CREATE INDEX connector_scopes_removing ON connector_scopes (connector_id) WHERE removing;
