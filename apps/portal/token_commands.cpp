// "culvert-portal token ...".

#include <algorithm>
#include <iostream>

#include "apps/portal/commands.h"
#include "apps/portal/error_output.h"
#include "apps/portal/listing.h"
#include "culvert/io/clock.h"
#include "culvert/portal/token.h"

namespace culvert::portal_server {
namespace {

/// The id of the row with that name.
template <typename Id, typename Row>
std::optional<Id> find_by_name(const std::map<Id, Row>& rows, const std::string& name) {
    const auto found = std::ranges::find_if(rows, [&](const auto& entry) { return entry.second.name == name; });
    return found == rows.end() ? std::nullopt : std::optional{found->first};
}

/// What there is instead of a name that there is not.
template <typename Rows>
std::string choices(const Rows& rows) {
    constexpr std::size_t kMostShown = 10;
    if (rows.empty()) {
        return "There is none yet: create it with \"culvert-portal apply\".";
    }
    if (rows.size() > kMostShown) {
        return "Create it with \"culvert-portal apply\".";
    }
    std::string names;
    for (const auto& [id, row] : rows) {
        names += (names.empty() ? "\"" : ", \"") + row.name + "\"";
    }
    return "There is " + names + "; create others with \"culvert-portal apply\".";
}

std::optional<portal::TokenId> find_token_id(const std::string& text, const portal::TokenKeys& keys) {
    using portal::TokenType;
    for (const auto type : {TokenType::kClient, TokenType::kGateway, TokenType::kRelay, TokenType::kApi}) {
        if (const auto claims = portal::verify_token(text, type, keys)) {
            return claims->token;
        }
    }
    return portal::TokenId::parse(text);
}

}  // namespace

int run(const TokenCreateCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto directory = storage.load_directory();
    portal::TokenOwner owner{.type = command.type, .account = directory.account.id};
    switch (command.type) {
        case portal::TokenType::kGateway:
            owner.site = find_by_name(directory.sites, command.owner);
            if (!owner.site) {
                return fail("there is no site \"" + command.owner + "\". " + choices(directory.sites));
            }
            break;
        case portal::TokenType::kClient:
        case portal::TokenType::kApi:
            owner.actor = find_by_name(directory.actors, command.owner);
            if (!owner.actor) {
                return fail("there is no actor \"" + command.owner + "\". " + choices(directory.actors));
            }
            if (directory.actors.at(*owner.actor).is_disabled) {
                return fail("actor \"" + command.owner + "\" is disabled. Take \"disabled\" away first.");
            }
            if ((directory.actors.at(*owner.actor).type == portal::ActorType::kApiClient) !=
                (command.type == portal::TokenType::kApi)) {
                return fail("actor \"" + command.owner +
                            "\" has the wrong type: \"token create api\" is for actors of type "
                            "api_client, \"token create client\" for all others.");
            }
            break;
        case portal::TokenType::kRelay:
            owner.account.reset();
            break;
    }
    const auto now = io::wall_now();
    std::optional<UnixSeconds> expires_at;
    if (command.expires_in) {
        expires_at = std::chrono::floor<std::chrono::seconds>(now) + *command.expires_in;
    }
    const auto token = portal::create_token(owner, expires_at, storage.token_keys(), rng, now);
    storage.put(token.row);
    std::cerr << "expires: " << (expires_at ? to_rfc3339(*expires_at) : "never") << '\n'
              << "token id: " << token.row.id.to_string() << '\n';
    std::cout << token.text << '\n';
    return finish_output();
}

int run(const TokenListCommand& command, SqliteStorage& storage) {
    const auto tokens = storage.list_tokens();
    const auto now = std::chrono::floor<std::chrono::seconds>(io::wall_now());
    std::cout << (command.is_json ? to_json(tokens) : to_table(tokens, now));
    return finish_output();
}

int run(const TokenRevokeCommand& command, SqliteStorage& storage) {
    const auto id = find_token_id(command.token, storage.token_keys());
    if (!id) {
        return fail(
            "this is neither the id of a token nor a token of this portal. \"culvert-portal token list\" shows the "
            "ids.");
    }
    if (!storage.erase(*id)) {
        return fail("there is no token " + id->to_string() + "; it may have been revoked already.");
    }
    std::cout << "revoked " << id->to_string() << '\n';
    return finish_output();
}

}  // namespace culvert::portal_server
