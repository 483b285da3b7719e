#include "commands.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "culvert/io/clock.h"
#include "culvert/portal/configuration.h"
#include "culvert/portal/token.h"

namespace culvert::portal_server {
namespace {

constexpr int kFailure = 1;

int fail(const std::string& what) {
    std::cerr << "error: " << what << '\n';
    return kFailure;
}

std::optional<std::string> read_file(const std::string& name) {
    std::ifstream file;
    if (name != "-") {
        std::error_code ignored;
        if (std::filesystem::is_directory(name, ignored)) {
            return std::nullopt;
        }
        file.open(name, std::ios::binary);
        if (!file) {
            return std::nullopt;
        }
    }
    std::istream& in = name == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    return in.bad() ? std::nullopt : std::optional{std::move(text)};
}

/// The id of the row with that name.
template <typename Id, typename Row>
std::optional<Id> find_by_name(const std::map<Id, Row>& rows, const std::string& name) {
    const auto found = std::ranges::find_if(rows, [&](const auto& entry) { return entry.second.name == name; });
    return found == rows.end() ? std::nullopt : std::optional{found->first};
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

void load(ApplyCommand& command) {
    command.text = read_file(command.file);
}

int run(const ApplyCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto& text = command.text;
    const auto name = command.file == "-" ? "standard input" : command.file;
    if (!text) {
        return fail("cannot read \"" + name + "\". Check that it is a file and that this user may read it.");
    }
    const auto configuration = portal::Configuration::parse(*text);
    if (!configuration) {
        return fail(name + ": " + configuration.error() + ". Nothing was changed.");
    }
    try {
        const auto summary = portal::apply(*configuration, storage, rng);
        for (const auto& line : summary.lines) {
            std::cout << line << '\n';
        }
        std::cout << summary.created << " created, " << summary.changed << " changed, " << summary.deleted
                  << " deleted, " << summary.unchanged << " left alone\n";
        return 0;
    } catch (const portal::ConfigurationError& error) {
        return fail(name + ": " + error.what() + ". Nothing was changed.");
    }
}

int run(const TokenCreateCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto directory = storage.load_directory();
    portal::TokenOwner owner{.type = command.type, .account = directory.account.id};
    switch (command.type) {
        case portal::TokenType::kGateway:
            owner.site = find_by_name(directory.sites, command.owner);
            if (!owner.site) {
                return fail("there is no site \"" + command.owner + "\". Create it with \"culvert-portal apply\".");
            }
            break;
        case portal::TokenType::kClient:
        case portal::TokenType::kApi:
            owner.actor = find_by_name(directory.actors, command.owner);
            if (!owner.actor) {
                return fail("there is no actor \"" + command.owner + "\". Create it with \"culvert-portal apply\".");
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
    std::cerr << "token id: " << token.row.id.to_string() << '\n';
    std::cout << token.text << '\n';
    return 0;
}

int run(const TokenRevokeCommand& command, SqliteStorage& storage) {
    const auto id = find_token_id(command.token, storage.token_keys());
    if (!id) {
        return fail("this is neither the id of a token nor a token of this portal.");
    }
    if (!storage.erase(*id)) {
        return fail("there is no token " + id->to_string() + "; it may have been revoked already.");
    }
    std::cout << "revoked " << id->to_string() << '\n';
    return 0;
}

}  // namespace culvert::portal_server
