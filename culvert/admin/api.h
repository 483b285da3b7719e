#pragma once

#include <string_view>

#include "culvert/admin/call.h"
#include "culvert/admin/routes.h"

namespace culvert::admin {

/// The administrators' REST API (spec/portal-product.md section 3, docs/operating.md): requests in, answers out.
///
/// Sans-IO but for the database behind `storage`. Not thread-safe; only PasswordTask::work may run elsewhere.
class Api {
public:
    /// `storage` and `surroundings` must outlive the object. Throws StorageError.
    Api(portal::Storage& storage, Surroundings& surroundings, Rng rng, const PasswordCost& cost = {});

    /// Whether a request for `path` is for the API.
    [[nodiscard]] static bool has(std::string_view path) { return find_route("GET", path).has_value(); }

    /// Never throws what is the request's fault, nor StorageError.
    [[nodiscard]] Answer answer(const ApiRequest& request, Instant now, UnixSeconds wall_now);
    /// What becomes of a task. Never throws either.
    [[nodiscard]] static http::Response finish(const PasswordTask& task, const PasswordTask::Outcome& outcome);

    /// Whether the session or token that `request` shows still counts: for what stays open. Throws StorageError.
    [[nodiscard]] bool is_still_signed_in(const ApiRequest& request, Instant now, UnixSeconds wall_now);

    /// Tells whoever runs the portal how to set it up, if nobody can sign in. Throws StorageError.
    void announce_setup() { (void)authentication_.needs_setup(); }

    /// Who counts attempts, for others to whom the same passwords open something.
    [[nodiscard]] Authenticator& authentication() { return authentication_; }

private:
    [[nodiscard]] Answer route(const ApiRequest& request, Instant now, UnixSeconds wall_now);

    Rng rng_;
    Authenticator authentication_;
    Tools tools_;
};

}  // namespace culvert::admin
