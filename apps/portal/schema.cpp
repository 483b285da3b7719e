#include "apps/portal/schema.h"

#include <array>

#include "culvert/portal/token.h"

namespace culvert::portal_server {
namespace {

using portal::StorageError;

/// "Culv", in the file's header: tells our databases from others'.
constexpr std::int64_t kApplicationId = 0x43756c76;

// Ids are lower-case UUIDs, times Unix seconds, addresses their canonical text. Every row that belongs to an account
// names it, so that several can share a database one day.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  search_domain TEXT,
  upstream_dns TEXT NOT NULL DEFAULT '[]',
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE sites (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name TEXT NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE actors (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  type TEXT NOT NULL CHECK (type IN ('account_user', 'account_admin_user', 'service_account', 'api_client')),
  name TEXT NOT NULL,
  email TEXT,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name TEXT NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE memberships (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  actor_id TEXT NOT NULL REFERENCES actors ON DELETE CASCADE,
  group_id TEXT NOT NULL REFERENCES groups ON DELETE CASCADE,
  UNIQUE (actor_id, group_id)
) STRICT;
CREATE INDEX memberships_group ON memberships (group_id);

CREATE TABLE resources (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  type TEXT NOT NULL CHECK (type IN ('dns', 'cidr', 'ip', 'internet')),
  name TEXT NOT NULL,
  address TEXT,
  address_description TEXT,
  ip_stack TEXT CHECK (ip_stack IN ('dual', 'ipv4_only', 'ipv6_only')),
  filters TEXT NOT NULL DEFAULT '[]',
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch()),
  CHECK ((address IS NULL) = (type = 'internet')),
  CHECK ((ip_stack IS NOT NULL) = (type = 'dns'))
) STRICT;

CREATE TABLE resource_sites (
  resource_id TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
  site_id TEXT NOT NULL REFERENCES sites ON DELETE CASCADE,
  PRIMARY KEY (resource_id, site_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX resource_sites_site ON resource_sites (site_id);

CREATE TABLE policies (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  group_id TEXT NOT NULL REFERENCES groups ON DELETE CASCADE,
  resource_id TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
  conditions TEXT NOT NULL DEFAULT '[]',
  is_disabled INTEGER NOT NULL DEFAULT 0 CHECK (is_disabled IN (0, 1)),
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch()),
  UNIQUE (group_id, resource_id)
) STRICT;
CREATE INDEX policies_resource ON policies (resource_id);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL CHECK (type IN ('client', 'gateway_group', 'relay_group', 'api_client')),
  account_id TEXT REFERENCES accounts ON DELETE CASCADE,
  actor_id TEXT REFERENCES actors ON DELETE CASCADE,
  site_id TEXT REFERENCES sites ON DELETE CASCADE,
  secret_salt TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  expires_at INTEGER,
  last_seen_user_agent TEXT,
  last_seen_remote_ip TEXT,
  last_seen_at INTEGER,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE INDEX tokens_actor ON tokens (actor_id);
CREATE INDEX tokens_site ON tokens (site_id);
CREATE INDEX tokens_expires_at ON tokens (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  actor_id TEXT NOT NULL REFERENCES actors ON DELETE CASCADE,
  external_id TEXT NOT NULL,
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  psk_base BLOB NOT NULL,
  ipv4 TEXT NOT NULL,
  ipv6 TEXT NOT NULL,
  device_serial TEXT,
  device_uuid TEXT,
  identifier_for_vendor TEXT,
  firebase_installation_id TEXT,
  last_seen_user_agent TEXT NOT NULL,
  last_seen_version TEXT NOT NULL,
  last_seen_remote_ip TEXT NOT NULL,
  last_seen_at INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch()),
  UNIQUE (actor_id, external_id),
  UNIQUE (actor_id, public_key),
  UNIQUE (account_id, ipv4),
  UNIQUE (account_id, ipv6)
) STRICT;

CREATE TABLE gateways (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  site_id TEXT NOT NULL REFERENCES sites ON DELETE CASCADE,
  external_id TEXT NOT NULL,
  name TEXT NOT NULL,
  public_key TEXT NOT NULL,
  psk_base BLOB NOT NULL,
  ipv4 TEXT NOT NULL,
  ipv6 TEXT NOT NULL,
  last_seen_user_agent TEXT NOT NULL,
  last_seen_version TEXT NOT NULL,
  last_seen_remote_ip TEXT NOT NULL,
  last_seen_at INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch()),
  UNIQUE (site_id, external_id),
  UNIQUE (account_id, public_key),
  UNIQUE (account_id, ipv4),
  UNIQUE (account_id, ipv6)
) STRICT;

CREATE TABLE relays (
  id TEXT PRIMARY KEY,
  name TEXT,
  ipv4 TEXT,
  ipv6 TEXT,
  port INTEGER NOT NULL,
  last_seen_user_agent TEXT NOT NULL,
  last_seen_version TEXT NOT NULL,
  last_seen_remote_ip TEXT NOT NULL,
  last_seen_at INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch()),
  CHECK (ipv4 IS NOT NULL OR ipv6 IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX relays_address ON relays (coalesce(ipv4, ipv6), port);

CREATE TABLE flows (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  gateway_id TEXT NOT NULL REFERENCES gateways ON DELETE CASCADE,
  resource_id TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
  policy_id TEXT NOT NULL REFERENCES policies ON DELETE CASCADE,
  membership_id TEXT NOT NULL REFERENCES memberships ON DELETE CASCADE,
  token_id TEXT NOT NULL REFERENCES tokens ON DELETE CASCADE,
  client_remote_ip TEXT NOT NULL,
  client_user_agent TEXT NOT NULL,
  gateway_remote_ip TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE INDEX flows_client ON flows (client_id);
CREATE INDEX flows_gateway ON flows (gateway_id);
CREATE INDEX flows_resource ON flows (resource_id);
CREATE INDEX flows_policy ON flows (policy_id);
CREATE INDEX flows_membership ON flows (membership_id);
CREATE INDEX flows_token ON flows (token_id);
CREATE INDEX flows_expires_at ON flows (expires_at);

-- Flows that are no longer what they were granted for go away whoever makes the change.
CREATE TRIGGER resources_redirected AFTER UPDATE ON resources
WHEN OLD.type IS NOT NEW.type OR OLD.address IS NOT NEW.address OR OLD.ip_stack IS NOT NEW.ip_stack
BEGIN DELETE FROM flows WHERE resource_id = NEW.id; END;

CREATE TRIGGER resource_sites_removed AFTER DELETE ON resource_sites
BEGIN
  DELETE FROM flows WHERE resource_id = OLD.resource_id
    AND gateway_id IN (SELECT id FROM gateways WHERE site_id = OLD.site_id);
END;

CREATE TRIGGER policies_withdrawn AFTER UPDATE ON policies
WHEN NEW.is_disabled OR OLD.group_id IS NOT NEW.group_id OR OLD.resource_id IS NOT NEW.resource_id
  OR OLD.conditions IS NOT NEW.conditions
BEGIN DELETE FROM flows WHERE policy_id = NEW.id; END;
)sql";

// Public keys become unique among all devices of the account; what cannot stay by that registers again by itself.
constexpr const char* kVersion2 = R"sql(
DELETE FROM clients WHERE id NOT IN (SELECT id FROM (
  SELECT id, row_number() OVER (PARTITION BY account_id, public_key ORDER BY last_seen_at DESC, id) AS n FROM clients)
  WHERE n = 1);
DELETE FROM clients WHERE EXISTS (SELECT 1 FROM gateways
  WHERE gateways.account_id = clients.account_id AND gateways.public_key = clients.public_key);
CREATE UNIQUE INDEX clients_public_key ON clients (account_id, public_key);
CREATE INDEX clients_last_seen_at ON clients (last_seen_at);
CREATE INDEX gateways_last_seen_at ON gateways (last_seen_at);

-- Addresses of deleted devices, which nobody gets for a while. `since` is set when the portal learns of it.
CREATE TABLE quarantined_addresses (
  address TEXT PRIMARY KEY,
  since INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantined_addresses_since ON quarantined_addresses (since);

-- To whom credentials for relays were given, by the salt of the user names; see portal::TurnUser. No foreign keys: it
-- is when what it cites is deleted that a row matters.
CREATE TABLE turn_users (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  salt TEXT NOT NULL UNIQUE,
  token_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  is_revoked INTEGER NOT NULL DEFAULT 0 CHECK (is_revoked IN (0, 1))
) STRICT;
CREATE INDEX turn_users_token ON turn_users (token_id);
CREATE INDEX turn_users_device ON turn_users (device_id);
CREATE INDEX turn_users_expires_at ON turn_users (expires_at);
CREATE INDEX turn_users_revoked ON turn_users (salt) WHERE is_revoked;

CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens
BEGIN UPDATE turn_users SET is_revoked = 1 WHERE token_id = OLD.id; END;
CREATE TRIGGER clients_deleted AFTER DELETE ON clients
BEGIN
  UPDATE turn_users SET is_revoked = 1 WHERE device_id = OLD.id;
  INSERT OR IGNORE INTO quarantined_addresses (address) VALUES (OLD.ipv4), (OLD.ipv6);
END;
CREATE TRIGGER gateways_deleted AFTER DELETE ON gateways
BEGIN
  UPDATE turn_users SET is_revoked = 1 WHERE device_id = OLD.id;
  INSERT OR IGNORE INTO quarantined_addresses (address) VALUES (OLD.ipv4), (OLD.ipv6);
END;
)sql";

// Devices can be revoked, and show whose token they came with. "attempts" has one row, which exists to be written.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE clients ADD COLUMN token_id TEXT REFERENCES tokens ON DELETE SET NULL;
ALTER TABLE clients ADD COLUMN revoked_at INTEGER;
ALTER TABLE gateways ADD COLUMN token_id TEXT REFERENCES tokens ON DELETE SET NULL;
ALTER TABLE gateways ADD COLUMN revoked_at INTEGER;
ALTER TABLE relays ADD COLUMN token_id TEXT REFERENCES tokens ON DELETE SET NULL;
ALTER TABLE relays ADD COLUMN revoked_at INTEGER;
CREATE INDEX clients_token ON clients (token_id);
CREATE INDEX gateways_token ON gateways (token_id);
CREATE INDEX relays_token ON relays (token_id);

CREATE TRIGGER clients_revoked AFTER UPDATE OF revoked_at ON clients WHEN NEW.revoked_at IS NOT NULL
BEGIN
  DELETE FROM flows WHERE client_id = NEW.id;
  UPDATE turn_users SET is_revoked = 1 WHERE device_id = NEW.id;
END;
CREATE TRIGGER gateways_revoked AFTER UPDATE OF revoked_at ON gateways WHEN NEW.revoked_at IS NOT NULL
BEGIN
  DELETE FROM flows WHERE gateway_id = NEW.id;
  UPDATE turn_users SET is_revoked = 1 WHERE device_id = NEW.id;
END;

CREATE TABLE attempts (id INTEGER PRIMARY KEY CHECK (id = 1), content BLOB NOT NULL) STRICT;
INSERT INTO attempts (id, content) VALUES (1, x'00');
)sql";

// Resolvers that are asked over HTTPS.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE accounts ADD COLUMN upstream_doh TEXT NOT NULL DEFAULT '[]';
)sql";

// Pools of devices, and who was let through to them. SQLite cannot change a CHECK, which says nothing about how rows
// are stored: its text is replaced (sqlite.org/lang_altertable.html section 7), and the schema read anew.
constexpr const char* kVersion5 = R"sql(
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
  'type IN (''dns'', ''cidr'', ''ip'', ''internet'')', 'type IN (''dns'', ''cidr'', ''ip'', ''internet'', ''static_device_pool'')'),
  '(address IS NULL) = (type = ''internet'')', '(address IS NULL) = (type IN (''internet'', ''static_device_pool''))')
  WHERE type = 'table' AND name = 'resources';
PRAGMA writable_schema = RESET;

-- A device that is named need not exist yet.
CREATE TABLE pool_members (
  resource_id TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
  actor_id TEXT NOT NULL REFERENCES actors ON DELETE CASCADE,
  external_id TEXT NOT NULL,
  PRIMARY KEY (resource_id, actor_id, external_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pool_members_device ON pool_members (actor_id, external_id);

CREATE TABLE device_flows (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  device_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
  resource_id TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
  policy_id TEXT NOT NULL REFERENCES policies ON DELETE CASCADE,
  membership_id TEXT NOT NULL REFERENCES memberships ON DELETE CASCADE,
  token_id TEXT NOT NULL REFERENCES tokens ON DELETE CASCADE,
  client_remote_ip TEXT NOT NULL,
  client_user_agent TEXT NOT NULL,
  device_remote_ip TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
CREATE INDEX device_flows_client ON device_flows (client_id);
CREATE INDEX device_flows_device ON device_flows (device_id);
CREATE INDEX device_flows_resource ON device_flows (resource_id);
CREATE INDEX device_flows_policy ON device_flows (policy_id);
CREATE INDEX device_flows_membership ON device_flows (membership_id);
CREATE INDEX device_flows_token ON device_flows (token_id);
CREATE INDEX device_flows_expires_at ON device_flows (expires_at);

CREATE TRIGGER resources_no_pool_any_more AFTER UPDATE ON resources
WHEN OLD.type IS NOT NEW.type OR OLD.address IS NOT NEW.address OR OLD.ip_stack IS NOT NEW.ip_stack
BEGIN DELETE FROM device_flows WHERE resource_id = NEW.id; END;

CREATE TRIGGER pool_members_removed AFTER DELETE ON pool_members
BEGIN
  DELETE FROM device_flows WHERE resource_id = OLD.resource_id
    AND device_id IN (SELECT id FROM clients WHERE actor_id = OLD.actor_id AND external_id = OLD.external_id);
END;

CREATE TRIGGER policies_of_pools_withdrawn AFTER UPDATE ON policies
WHEN NEW.is_disabled OR OLD.group_id IS NOT NEW.group_id OR OLD.resource_id IS NOT NEW.resource_id
  OR OLD.conditions IS NOT NEW.conditions
BEGIN DELETE FROM device_flows WHERE policy_id = NEW.id; END;

CREATE TRIGGER clients_of_pools_revoked AFTER UPDATE OF revoked_at ON clients WHEN NEW.revoked_at IS NOT NULL
BEGIN DELETE FROM device_flows WHERE client_id = NEW.id OR device_id = NEW.id; END;
)sql";

// Flows that devices report, and whether they do. No foreign keys: what was is not changed by what goes.
constexpr const char* kVersion6 = R"sql(
ALTER TABLE accounts ADD COLUMN flow_logging TEXT NOT NULL DEFAULT '{}';
ALTER TABLE accounts ADD COLUMN logs_flows INTEGER NOT NULL DEFAULT 0 CHECK (logs_flows IN (0, 1));
ALTER TABLE accounts ADD COLUMN ingest_key BLOB;
ALTER TABLE policies ADD COLUMN logs_flows INTEGER NOT NULL DEFAULT 1 CHECK (logs_flows IN (0, 1));

CREATE TRIGGER policies_logged_otherwise AFTER UPDATE OF logs_flows ON policies
WHEN OLD.logs_flows IS NOT NEW.logs_flows
BEGIN DELETE FROM flows WHERE policy_id = NEW.id; END;
CREATE TRIGGER accounts_logged_otherwise AFTER UPDATE OF logs_flows ON accounts
WHEN OLD.logs_flows IS NOT NEW.logs_flows
BEGIN
  DELETE FROM flows WHERE policy_id IN (SELECT id FROM policies WHERE account_id = NEW.id AND logs_flows);
END;

CREATE TABLE flow_logs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('initiator', 'responder')),
  initiator_id TEXT NOT NULL,
  responder_id TEXT NOT NULL,
  authorization_id TEXT NOT NULL,
  policy_id TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  resource_name TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  actor_email TEXT,
  protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  domain TEXT,
  -- Microseconds, as those of the end.
  started_at INTEGER NOT NULL,
  outers TEXT NOT NULL,
  ended_at INTEGER,
  last_packet INTEGER,
  rx_packets INTEGER,
  tx_packets INTEGER,
  rx_bytes INTEGER,
  tx_bytes INTEGER,
  received_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX flow_logs_identity
  ON flow_logs (account_id, started_at, initiator_id, role, protocol, source, destination, resource_id);
CREATE INDEX flow_logs_received_at ON flow_logs (received_at);
)sql";

// Flows between clients are reported as well.
constexpr const char* kVersion7 = R"sql(
CREATE TRIGGER policies_of_pools_logged_otherwise AFTER UPDATE OF logs_flows ON policies
WHEN OLD.logs_flows IS NOT NEW.logs_flows
BEGIN DELETE FROM device_flows WHERE policy_id = NEW.id; END;
CREATE TRIGGER accounts_of_pools_logged_otherwise AFTER UPDATE OF logs_flows ON accounts
WHEN OLD.logs_flows IS NOT NEW.logs_flows
BEGIN
  DELETE FROM device_flows WHERE policy_id IN (SELECT id FROM policies WHERE account_id = NEW.id AND logs_flows);
END;
-- What was let through before says that nothing is to be reported.
DELETE FROM device_flows WHERE policy_id IN
  (SELECT policies.id FROM policies JOIN accounts ON accounts.id = policies.account_id
   WHERE policies.logs_flows AND accounts.logs_flows);
)sql";

// How administrators sign in, and what was changed. The log cites nothing: what was done is not changed by what goes.
constexpr const char* kVersion8 = R"sql(
CREATE TABLE passwords (
  actor_id TEXT PRIMARY KEY REFERENCES actors ON DELETE CASCADE,
  hash TEXT NOT NULL,
  changed_at INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE browser_sessions (
  secret_hash TEXT PRIMARY KEY,
  actor_id TEXT NOT NULL REFERENCES actors ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX browser_sessions_actor ON browser_sessions (actor_id);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);

CREATE TABLE audit_log (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  at INTEGER NOT NULL,
  actor_id TEXT,
  actor_name TEXT NOT NULL,
  actor_email TEXT,
  remote_ip TEXT NOT NULL,
  action TEXT NOT NULL,
  object_type TEXT NOT NULL,
  object_id TEXT NOT NULL,
  object_name TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_object ON audit_log (object_id);
CREATE INDEX audit_log_at ON audit_log (at);

ALTER TABLE tokens ADD COLUMN name TEXT;
ALTER TABLE policies ADD COLUMN description TEXT;
)sql";

// Machines that administrators know.
constexpr const char* kVersion9 = R"sql(
ALTER TABLE clients ADD COLUMN verified_at INTEGER;
)sql";

// People who may not sign in any more, and for how long the others are signed in.
constexpr const char* kVersion10 = R"sql(
ALTER TABLE actors ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN client_session_secs INTEGER NOT NULL DEFAULT 604800;
)sql";

/// Element i brings version i to version i + 1. Never change one that was released; add another.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {
    kVersion1, kVersion2, kVersion3, kVersion4, kVersion5, kVersion6, kVersion7, kVersion8, kVersion9, kVersion10};

std::int64_t read_integer(Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    return statement.step() ? statement.integer(0) : 0;
}

void fill_new_database(Database& database, Rng& rng) {
    const auto keys = portal::TokenKeys::generate(rng);
    constexpr std::string_view kInsertSecret = "INSERT INTO secrets (name, value) VALUES (?, ?)";
    database.prepare(kInsertSecret).bind("tokens_key_base").bind(keys.key_base).execute();
    database.prepare(kInsertSecret).bind("tokens_salt").bind(keys.salt).execute();
    database.prepare("INSERT INTO accounts (id, name, slug) VALUES (?, 'Default', 'default')")
        .bind(AccountId::random(rng).to_string())
        .execute();
}

}  // namespace

void migrate(Database& database, const std::string& path, Rng& rng, int target) {
    // Nothing is written to a database of somebody else.
    const auto application = read_integer(database, "PRAGMA application_id");
    const auto tables = read_integer(database, "SELECT count(*) FROM sqlite_schema");
    if (application != kApplicationId && (application != 0 || tables != 0)) {
        throw StorageError{"database \"" + path +
                           "\" belongs to another program. Name another file with --database sqlite:PATH."};
    }
    database.run("PRAGMA journal_mode = WAL");
    database.run("BEGIN IMMEDIATE");
    try {
        database.run(
            "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY,"
            " applied_at INTEGER NOT NULL DEFAULT (unixepoch())) STRICT");
        const auto version = read_integer(database, "SELECT coalesce(max(version), 0) FROM schema_versions");
        if (version > kSchemaVersion) {
            throw StorageError{"database \"" + path + "\" was written by a newer culvert-portal (schema " +
                               std::to_string(version) + ", this one knows " + std::to_string(kSchemaVersion) +
                               "). Run that version, or restore a backup from before the upgrade."};
        }
        for (auto next = version; next < target; ++next) {
            database.run(kMigrations[static_cast<std::size_t>(next)]);
            database.prepare("INSERT INTO schema_versions (version) VALUES (?)").bind(next + 1).execute();
        }
        if (version == 0) {
            database.run("PRAGMA application_id = " + std::to_string(kApplicationId));
            fill_new_database(database, rng);
        }
        database.run("COMMIT");
    } catch (...) {
        database.run("ROLLBACK");
        throw;
    }
}

}  // namespace culvert::portal_server
