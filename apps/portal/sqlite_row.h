#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/portal/sqlite.h"
#include "culvert/base/time.h"
#include "culvert/portal/storage.h"

/// Columns of a row as what they mean, and the other way round. What cannot be understood is thrown as
/// portal::StorageError.
namespace culvert::portal_server {

[[nodiscard]] inline portal::StorageError damaged(std::string_view what) {
    return portal::StorageError{"the database holds " + std::string{what} +
                                " that cannot be understood; restore a backup"};
}

template <typename Id>
[[nodiscard]] Id read_id(const Statement& row, int column) {
    const auto id = Id::parse(row.text(column));
    if (!id) {
        throw damaged("an id");
    }
    return *id;
}

template <typename Id>
[[nodiscard]] std::optional<Id> read_optional_id(const Statement& row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional{read_id<Id>(row, column)};
}

[[nodiscard]] inline UnixSeconds read_time(const Statement& row, int column) {
    return UnixSeconds{std::chrono::seconds{row.integer(column)}};
}

[[nodiscard]] inline std::optional<UnixSeconds> read_optional_time(const Statement& row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional{read_time(row, column)};
}

[[nodiscard]] inline portal::TokenType read_token_type(const Statement& row, int column) {
    using portal::TokenType;
    const auto text = row.text(column);
    for (const auto type : {TokenType::kClient, TokenType::kGateway, TokenType::kRelay, TokenType::kApi}) {
        if (text == portal::to_string(type)) {
            return type;
        }
    }
    throw damaged("a type of token");
}

[[nodiscard]] inline net::IpAddress read_address(const Statement& row, int column) {
    const auto address = net::IpAddress::parse(row.text(column));
    if (!address) {
        throw damaged("an address");
    }
    return *address;
}

[[nodiscard]] inline crypto::PublicKey read_key(const Statement& row, int column) {
    const auto key = crypto::PublicKey::parse(row.text(column));
    if (!key) {
        throw damaged("a public key");
    }
    return *key;
}

[[nodiscard]] inline crypto::Secret<32> read_secret(const Statement& row, int column) {
    const auto bytes = row.blob(column);
    if (bytes.size() != 32) {
        throw damaged("a secret");
    }
    return crypto::Secret<32>::from_bytes(bytes);
}

/// Four columns, from `column` on.
[[nodiscard]] inline portal::LastSeen read_last_seen(const Statement& row, int column) {
    return {row.text(column), row.text(column + 1), read_address(row, column + 2), read_time(row, column + 3)};
}

// And the way in.

[[nodiscard]] inline std::int64_t to_integer(UnixSeconds time) {
    return time.time_since_epoch().count();
}

/// Of ids and addresses.
template <typename Id>
[[nodiscard]] std::optional<std::string> to_text(const std::optional<Id>& id) {
    return id ? std::optional{id->to_string()} : std::nullopt;
}

/// Four parameters, in the order of read_last_seen().
inline Statement& bind_last_seen(Statement& statement, const portal::LastSeen& last_seen) {
    return statement.bind(last_seen.user_agent)
        .bind(last_seen.version)
        .bind(last_seen.remote_ip.to_string())
        .bind(to_integer(last_seen.at));
}

}  // namespace culvert::portal_server
