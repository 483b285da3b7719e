#include "culvert/portal_channel/advice.h"

namespace culvert::portal_channel {

std::string advice_on_status(unsigned status, portal_api::Role role) {
    switch (status) {
        case 401:
            return advice_on_token(role);
        case 402:
            return "The account has no room for this device: remove others or have its limits raised";
        case 403:
            return "The account is disabled, or a proxy, firewall or block list between here and the portal forbids it";
        case 404:
        case 405:
        case 410:
            return "No portal answers at this URL: check host, port and path of FIREZONE_API_URL or --api-url";
        case 407:
            return "A proxy wants to know who asks: let this machine reach the portal directly";
        case 409:
            return advice_on_identity();
        case 400:
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
            return "See what the portal, or a proxy before it, says";
    }
}

std::string advice_on_token(portal_api::Role role) {
    const std::string kind{portal_api::to_topic(role)};
    return "Check the token: it is incomplete, expired, revoked, or not one for a " + kind +
           ". \"culvert-portal token create " + kind + "\" makes another";
}

std::string advice_on_identity() {
    return "Another machine is connected with the id of this one. Give each its own: set FIREZONE_ID, or, on a copied "
           "machine, remove the id file and /etc/machine-id and run systemd-machine-id-setup";
}

}  // namespace culvert::portal_channel
