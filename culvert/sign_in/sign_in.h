#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culvert/admin/authentication.h"
#include "culvert/admin/messages.h"
#include "culvert/admin/password.h"
#include "culvert/admin/surroundings.h"
#include "culvert/admin/throttle.h"
#include "culvert/base/rng.h"
#include "culvert/portal/storage.h"
#include "culvert/sign_in/app_request.h"
#include "culvert/sign_in/constants.h"
#include "culvert/sign_in/for_a_while.h"
#include "culvert/sign_in/form_seal.h"

namespace culvert::sign_in {

/// Where people sign in on their devices, in the browser that an app opens (spec/portal-product.md section 5.4,
/// spec/portal-protocol.md section 13.3): pages in, a client token out, which the app gets by a link of its own kind or
/// the person copies.
///
/// Sans-IO but for the database behind `storage`. Not thread-safe; only PasswordTask::work may run elsewhere.
class SignIn {
public:
    /// All must outlive the object. `authentication` counts attempts, here and wherever else the same password opens
    /// something. Throws StorageError.
    SignIn(portal::Storage& storage, admin::Surroundings& surroundings, admin::Authenticator& authentication, Rng rng,
           const admin::PasswordCost& cost = {});

    /// Whether requests of that method for `path` have a body.
    [[nodiscard]] static bool takes_body(std::string_view method, std::string_view path) {
        return method == "POST" && path.ends_with(kFormEnd);
    }

    /// nullopt: the path leads elsewhere. Never throws what is the request's fault, nor StorageError.
    [[nodiscard]] std::optional<admin::Answer> answer(const admin::ApiRequest& request, Instant now,
                                                      UnixSeconds wall_now);

private:
    static constexpr std::string_view kFormEnd = "/sign_in";

    /// A form that was sent, as far as it has been looked at.
    struct Attempt {
        AppRequest app;
        std::string email;
        /// Under which a form that has served is remembered.
        std::string use;
        std::string browser;
        net::IpAddress from;
        bool is_https = false;
        UnixSeconds wall_now;
        Instant now;
    };
    /// What the browser hands over.
    struct Handover {
        AppRequest app;
        std::string fragment;
        std::string actor_name;
        std::string identifier;
        UnixSeconds expires_at;
    };

    [[nodiscard]] admin::Answer route(const admin::ApiRequest& request, std::string_view rest, Instant now,
                                      UnixSeconds wall_now);
    [[nodiscard]] http::Response open(const admin::ApiRequest& request, UnixSeconds wall_now);
    [[nodiscard]] admin::Answer take_form(const admin::ApiRequest& request, Instant now, UnixSeconds wall_now);
    [[nodiscard]] admin::Answer check_password(Attempt attempt, std::string password);
    [[nodiscard]] http::Response finish(const Attempt& attempt, const std::optional<portal::ActorId>& actor,
                                        const std::optional<std::string>& stored, bool matches);
    [[nodiscard]] http::Response refuse(const Attempt& attempt, const std::optional<portal::Actor>& actor,
                                        std::string_view reason);
    [[nodiscard]] http::Response let_in(const Attempt& attempt, const portal::Actor& actor);
    [[nodiscard]] http::Response hand_over(const admin::ApiRequest& request, bool is_redirect, UnixSeconds wall_now);
    /// A form anew.
    [[nodiscard]] http::Response form(unsigned status, const Attempt& attempt, std::string problem);
    void record(const Attempt& attempt, const portal::Actor* actor, bool is_in, std::string_view key,
                std::string_view value);

    /// Where the account's pages are: under its slug, or its id if the slug leads elsewhere.
    [[nodiscard]] std::string home();
    [[nodiscard]] const portal::Account& account() { return surroundings_.directory().account; }

    portal::Storage& storage_;
    admin::Surroundings& surroundings_;
    admin::Authenticator& authentication_;
    Rng rng_;
    admin::PasswordCost cost_;
    portal::TokenKeys keys_;
    FormSeal seal_;
    /// By the hash of the secret in the browser's cookie.
    ForAWhile<Handover> handovers_{kMaxHandovers};
    ForAWhile<bool> used_{kMaxUsedForms};
    admin::Throttle strangers_{kStrangersLoggedInterval, kStrangersLogged, 1};
};

}  // namespace culvert::sign_in
