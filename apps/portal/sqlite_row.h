#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "apps/portal/sqlite.h"
#include "culvert/base/time.h"
#include "culvert/portal/storage.h"

/// Columns of a row as what they mean. What cannot be understood is thrown as portal::StorageError.
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

}  // namespace culvert::portal_server
