#include "tests/model/network/direct_path.h"

namespace culvert::model {
namespace {

bool is_endpoint_independent(Dependence dependence) {
    return dependence == Dependence::kEndpointIndependent;
}
bool depends_on_port(Dependence dependence) {
    return dependence == Dependence::kAddressAndPortDependent;
}

/// `sender` sends from a port that `receiver` cannot know beforehand, and `receiver` admits only ports that it knows.
bool is_shut_out(const NatBox& sender, const NatBox& receiver) {
    return !is_endpoint_independent(sender.mapping) && depends_on_port(receiver.filtering);
}

bool can_punch_holes(const NatBox& a, const NatBox& b) {
    if (is_shut_out(a, b) || is_shut_out(b, a)) {
        return false;
    }
    // Somebody's first check must get in: at a mapping that the answering side has used towards the other, or past a
    // filter that admits everybody.
    const bool first_check_gets_in = is_endpoint_independent(a.mapping) || is_endpoint_independent(a.filtering) ||
                                     is_endpoint_independent(b.mapping) || is_endpoint_independent(b.filtering);
    // If each answers every new port from another new port, no answer ever comes from where the check went
    // (RFC 8445 section 7.2.5.2.1).
    const bool never_symmetric = depends_on_port(a.mapping) && depends_on_port(b.mapping);
    return first_check_gets_in && !never_symmetric;
}

}  // namespace

bool can_connect_directly(const Access& a, const Access& b) {
    // Filters alone stop nobody who sends at the same time: addresses and ports are known beforehand.
    if (a.has_v6 && b.has_v6) {
        return true;
    }
    if (!a.has_v4 || !b.has_v4) {
        return false;
    }
    const bool same_lan = a.lan != 0 && a.lan == b.lan;
    return same_lan || !a.nat || !b.nat || can_punch_holes(*a.nat, *b.nat);
}

}  // namespace culvert::model
