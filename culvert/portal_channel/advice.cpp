#include "culvert/portal_channel/advice.h"

namespace culvert::portal_channel {
namespace {

std::string advice_on_forbidden(std::string_view code) {
    if (code == "certificate_revoked" || code == "device_untrusted") {
        return "The portal trusts only machines with a certificate of their own, and not this one: ask its "
               "administrator";
    }
    return "The account is disabled, or a proxy, firewall or block list between here and the portal forbids it";
}

}  // namespace

bool is_dead_token(std::string_view code) {
    return code == "invalid_token" || code == "missing_token";
}

std::string advice_on_refusal(unsigned status, std::string_view code, portal_api::Role role) {
    switch (status) {
        case 401:
            return is_dead_token(code) ? advice_on_token(role)
                                       : "The portal does not say that the token is to blame: start again with the "
                                         "same one, and check the token only if that does not help";
        case 402:
            return "The account has no room for this device: remove others or have its limits raised";
        case 403:
            return advice_on_forbidden(code);
        case 404:
        case 405:
        case 410:
            return "No portal answers at this URL: check host, port and path of FIREZONE_API_URL or --api-url";
        case 407:
            return "A proxy wants to know who asks: let this machine reach the portal directly";
        case 408:
        case 425:
            return "";
        case 409:
            return advice_on_identity();
        case 400:
            if (code == "invalid_connect_params") {
                return advice_on_refusal(422, code, role);
            }
            [[fallthrough]];
        case 421:
        case 426:
            return "Check that FIREZONE_API_URL or --api-url starts with wss:// if the portal is behind TLS, and that "
                   "proxies before it pass WebSockets on";
        case 422:
            return "Check the values that the portal names: FIREZONE_NAME and FIREZONE_ID of a device, the public "
                   "addresses of a relay";
        case 429:
            return "Too many attempts from here: wait before the next";
        default:
            return status >= 400 && status < 500 ? "See what the portal, or a proxy before it, says" : "";
    }
}

std::string advice_on_token(portal_api::Role role) {
    const std::string kind{portal_api::to_topic(role)};
    return "Check the token, or sign in anew: it is incomplete, expired, revoked, or not one for a " + kind +
           ". \"culvert-portal token create " + kind + "\" makes another";
}

std::string advice_on_identity() {
    return "Another machine is connected with the id of this one. If that is so for more than a minute, give each its "
           "own: set FIREZONE_ID, or, on a copied machine, remove the id file and /etc/machine-id and run "
           "systemd-machine-id-setup";
}

std::string advice_on_unknown_host() {
    return "It is looked up again and again. If that goes on, check the API URL and this machine's name servers";
}

std::string advice_on_certificate() {
    return "Check the API URL, this machine's clock and its certificate authorities";
}

}  // namespace culvert::portal_channel
