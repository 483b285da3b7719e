// Tokens of sites, actors and relays.

#include "culvert/admin/encode.h"
#include "culvert/admin/handlers.h"
#include "culvert/admin/input.h"
#include "culvert/base/rfc3339.h"
#include "culvert/portal/token.h"

namespace culvert::admin {
namespace {

namespace json = boost::json;
using portal::ConfigurationValue;
using portal::TokenType;

/// Whose tokens are meant.
struct Owner {
    TokenType type = TokenType::kRelay;
    std::optional<portal::ActorId> actor = {};
    std::optional<SiteId> site = {};
    std::string name = "relays";
    /// Where its tokens are listed.
    std::string path = "/relay_tokens";
};

Owner site_of(const Call& call) {
    const auto& site = call.row(call.directory().sites);
    return {.type = TokenType::kGateway,
            .site = site.id,
            .name = site.name,
            .path = "/sites/" + site.id.to_string() + "/tokens"};
}

Owner actor_of(const Call& call) {
    const auto& actor = call.row(call.directory().actors);
    if (actor.is_disabled && call.request.method == "POST") {
        throw conflict("Who is disabled gets no token. Enable this one first.");
    }
    const bool is_program = actor.type == portal::ActorType::kApiClient;
    if (is_program && call.subject.kind != Requester::Kind::kAdministrator) {
        throw ApiProblem{403, "forbidden", "A token may not see or change those of API clients."};
    }
    return {.type = is_program ? TokenType::kApi : TokenType::kClient,
            .actor = actor.id,
            .name = actor.name,
            .path = "/actors/" + actor.id.to_string() + "/tokens"};
}

http::Response list(const Call& call, const Owner& owner) {
    const auto page = Page::of(call.request);
    const auto tokens = call.storage().list_tokens_of(owner.actor, owner.site, owner.type);
    json::array part;
    for (std::size_t i = page.skip; i < tokens.size() && part.size() < page.limit; ++i) {
        part.emplace_back(encode(tokens[i]));
    }
    return page.respond(std::move(part), tokens.size());
}

/// What a body says of the new token; there need be none.
struct Wanted {
    std::optional<std::string> name;
    std::optional<UnixSeconds> expires_at;
};

Wanted parse_wanted(const Call& call) {
    Wanted wanted{{}, call.wall_now + kTokenLifetime};
    if (call.body.is_null()) {
        return wanted;
    }
    Input input{call.body, "token"};
    input.read("name", [&](const ConfigurationValue& value) { wanted.name = value.text(1, 255); });
    if (input.is_null("expires_at")) {
        wanted.expires_at.reset();
    }
    input.read("expires_at", [&](const ConfigurationValue& value) {
        const auto at = parse_rfc3339(value.text(1, 64));
        if (!at) {
            value.fail("must be a time such as 2027-01-31T00:00:00Z");
        }
        wanted.expires_at = std::chrono::floor<std::chrono::seconds>(*at);
        if (*wanted.expires_at <= call.wall_now) {
            value.fail("must be in the future");
        }
    });
    input.check();
    return wanted;
}

http::Response create(const Call& call, const Owner& owner) {
    const auto wanted = parse_wanted(call);
    const auto account = owner.type == TokenType::kRelay ? std::nullopt : std::optional{call.directory().account.id};
    const auto token =
        portal::create_token({.type = owner.type, .account = account, .actor = owner.actor, .site = owner.site},
                             wanted.expires_at, call.storage().token_keys(), call.tools.rng, WallTime{call.wall_now});
    const auto id = token.row.id.to_string();
    json::object shown{{"id", id}};
    shown["name"] = wanted.name ? json::value(json::string{*wanted.name}) : json::value(nullptr);
    shown["expires_at"] =
        wanted.expires_at ? json::value(json::string{to_rfc3339(*wanted.expires_at)}) : json::value(nullptr);
    call.storage().in_transaction([&] {
        call.storage().put(token.row);
        if (wanted.name) {
            call.storage().put_name(token.row.id, *wanted.name);
        }
        call.record({"create", "token", id, owner.name, {}, shown});
    });
    call.tell("tokens", id);
    shown["token"] = token.text;
    return respond_created(owner.path + "/" + id, shown);
}

void erase(const Call& call, const Owner& owner, const portal::KnownToken& token) {
    call.storage().erase(token.id);
    call.record({"delete", "token", token.id.to_string(), owner.name, encode(token), {}});
}

http::Response remove(const Call& call, const Owner& owner, const portal::TokenId& id) {
    for (const auto& token : call.storage().list_tokens_of(owner.actor, owner.site, owner.type)) {
        if (token.id == id) {
            call.storage().in_transaction([&] { erase(call, owner, token); });
            call.tell("tokens", id.to_string());
            return respond(200, encode(token));
        }
    }
    throw not_found();
}

http::Response remove_all(const Call& call, const Owner& owner) {
    const auto tokens = call.storage().list_tokens_of(owner.actor, owner.site, owner.type);
    call.storage().in_transaction([&] {
        for (const auto& token : tokens) {
            erase(call, owner, token);
        }
    });
    call.tell("tokens", "");
    return respond(200, {{"deleted_count", tokens.size()}});
}

}  // namespace

Answer list_site_tokens(Call& call) {
    return list(call, site_of(call));
}
Answer create_site_token(Call& call) {
    return create(call, site_of(call));
}
Answer delete_site_token(Call& call) {
    return remove(call, site_of(call), call.id<portal::TokenId>(1));
}
Answer delete_site_tokens(Call& call) {
    return remove_all(call, site_of(call));
}

Answer list_actor_tokens(Call& call) {
    return list(call, actor_of(call));
}
Answer create_actor_token(Call& call) {
    return create(call, actor_of(call));
}
Answer delete_actor_token(Call& call) {
    return remove(call, actor_of(call), call.id<portal::TokenId>(1));
}
Answer delete_actor_tokens(Call& call) {
    return remove_all(call, actor_of(call));
}

Answer list_relay_tokens(Call& call) {
    return list(call, {});
}
Answer create_relay_token(Call& call) {
    return create(call, {});
}
Answer delete_relay_token(Call& call) {
    return remove(call, {}, call.id<portal::TokenId>());
}

}  // namespace culvert::admin
