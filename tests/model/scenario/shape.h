#pragma once

#include <string_view>
#include <tuple>
#include <utility>

#include "tests/model/scenario/action.h"

/// What the parts of a scenario consist of: every field of every part is described here, once. Scripts are printed and
/// parsed, references found and fields simplified from this table. A part that is missing does not compile.
namespace culvert::model {

/// Always there, in order.
template <typename S, typename T>
struct Word {
    std::string_view name;
    T S::* member;
};
/// `name=value`, left out if the member has its default.
template <typename S, typename T>
struct Option {
    std::string_view name;
    T S::* member;
};
/// `name`, there if the member has not its default.
template <typename S>
struct Flag {
    std::string_view name;
    bool S::* member;
};
/// The fields of the member stand among those of the part.
template <typename S, typename T>
struct Inline {
    T S::* member;
};

template <typename... Fields>
struct Shape {
    std::string_view name;
    std::tuple<Fields...> fields;
};

namespace detail {

template <typename S, typename T>
constexpr Word<S, T> word(std::string_view name, T S::* member) {
    return {name, member};
}
template <typename S, typename T>
constexpr Option<S, T> option(std::string_view name, T S::* member) {
    return {name, member};
}
template <typename S>
constexpr Flag<S> flag(std::string_view name, bool S::* member) {
    return {name, member};
}
template <typename S, typename T>
constexpr Inline<S, T> fields_of(T S::* member) {
    return {member};
}
template <typename... Fields>
constexpr Shape<Fields...> shape(std::string_view name, Fields... fields) {
    return {name, {fields...}};
}

template <typename S>
consteval int undescribed() = delete;

}  // namespace detail

/// Specialised for every part.
template <typename S>
inline constexpr auto kShape = detail::undescribed<S>();

/// Calls `visit` with a Word, Option, Flag or Inline for each field of S, in order.
template <typename S, typename Visit>
void for_each_field(Visit&& visit) {
    std::apply([&](const auto&... field) { (visit(field), ...); }, kShape<S>.fields);
}

// --- Setup ---

template <>
inline constexpr auto kShape<NatBox> = detail::shape(
    "nat", detail::word("mapping", &NatBox::mapping), detail::word("filtering", &NatBox::filtering),
    detail::flag("random-port", &NatBox::keeps_port), detail::flag("hairpins", &NatBox::hairpins),
    detail::flag("only-outbound-refreshes", &NatBox::inbound_refreshes),
    detail::option("timeout", &NatBox::idle_timeout), detail::flag("maps-to-3478", &NatBox::maps_to_3478));
template <>
inline constexpr auto kShape<Access> =
    detail::shape("access", detail::flag("no-v4", &Access::has_v4), detail::flag("no-v6", &Access::has_v6),
                  detail::option("nat", &Access::nat), detail::option("lan", &Access::lan),
                  detail::option("interfaces", &Access::interfaces), detail::option("latency", &Access::latency),
                  detail::option("port", &Access::port));
template <>
inline constexpr auto kShape<ClientSetup> =
    detail::shape("client", detail::flag("hostile", &ClientSetup::is_hostile), detail::fields_of(&ClientSetup::access),
                  detail::option("driver", &ClientSetup::driver), detail::option("groups", &ClientSetup::groups),
                  detail::option("token-lifetime", &ClientSetup::token_lifetime));
template <>
inline constexpr auto kShape<GatewaySetup> = detail::shape(
    "gateway", detail::word("site", &GatewaySetup::site), detail::flag("hostile", &GatewaySetup::is_hostile),
    detail::fields_of(&GatewaySetup::access), detail::option("driver", &GatewaySetup::driver),
    detail::option("clock-ahead", &GatewaySetup::clock_ahead),
    detail::option("clock-behind", &GatewaySetup::clock_behind));
template <>
inline constexpr auto kShape<RelaySetup> =
    detail::shape("relay", detail::flag("no-v4", &RelaySetup::has_v4), detail::flag("no-v6", &RelaySetup::has_v6),
                  detail::option("latency", &RelaySetup::latency), detail::option("ports", &RelaySetup::ports),
                  detail::flag("hostile", &RelaySetup::is_hostile));
template <>
inline constexpr auto kShape<ResourceSetup> =
    detail::shape("resource", detail::word("address", &ResourceSetup::address),
                  detail::option("sites", &ResourceSetup::sites), detail::option("filters", &ResourceSetup::filters));
template <>
inline constexpr auto kShape<PolicySetup> = detail::shape("policy", detail::word("group", &PolicySetup::group),
                                                          detail::word("resource", &PolicySetup::resource),
                                                          detail::flag("disabled", &PolicySetup::is_disabled));
/// Only its scalars; the rest has lines of its own.
template <>
inline constexpr auto kShape<Setup> =
    detail::shape("setup", detail::option("seed", &Setup::seed), detail::option("sites", &Setup::sites),
                  detail::option("groups", &Setup::groups), detail::option("portal-latency", &Setup::portal_latency));
template <>
inline constexpr auto kShape<Scenario> =
    detail::shape("case", detail::fields_of(&Scenario::setup), detail::option("tail", &Scenario::tail));

// --- Actions ---

template <>
inline constexpr auto kShape<Probe> =
    detail::shape("probe", detail::word("client", &Probe::client), detail::word("destination", &Probe::to),
                  detail::word("protocol", &Probe::protocol), detail::option("from", &Probe::source_port),
                  detail::option("to", &Probe::destination_port), detail::option("count", &Probe::count),
                  detail::option("every", &Probe::interval), detail::option("payload", &Probe::payload),
                  detail::option("source", &Probe::source), detail::option("class", &Probe::traffic_class),
                  detail::option("ttl", &Probe::ttl), detail::flag("no-checksum", &Probe::without_checksum));
template <>
inline constexpr auto kShape<Expect> =
    detail::shape("expect", detail::word("client", &Expect::client), detail::word("destination", &Expect::to),
                  detail::option("from", &Expect::source_port), detail::option("within", &Expect::within));
template <>
inline constexpr auto kShape<Transfer> =
    detail::shape("transfer", detail::word("client", &Transfer::client), detail::word("destination", &Transfer::to),
                  detail::option("from", &Transfer::source_port), detail::option("to", &Transfer::destination_port),
                  detail::option("bytes", &Transfer::bytes), detail::flag("upload", &Transfer::is_upload));
template <>
inline constexpr auto kShape<Unsolicited> = detail::shape(
    "unsolicited", detail::word("gateway", &Unsolicited::gateway), detail::word("client", &Unsolicited::client),
    detail::word("source", &Unsolicited::from), detail::option("count", &Unsolicited::count));
template <>
inline constexpr auto kShape<CreateResource> =
    detail::shape("create-resource", detail::word("resource", &CreateResource::resource));
template <>
inline constexpr auto kShape<DeleteResource> =
    detail::shape("delete-resource", detail::word("resource", &DeleteResource::resource));
template <>
inline constexpr auto kShape<SetAddress> = detail::shape("set-address", detail::word("resource", &SetAddress::resource),
                                                         detail::word("address", &SetAddress::address));
template <>
inline constexpr auto kShape<SetFilters> = detail::shape("set-filters", detail::word("resource", &SetFilters::resource),
                                                         detail::option("filters", &SetFilters::filters));
template <>
inline constexpr auto kShape<SetSites> = detail::shape("set-sites", detail::word("resource", &SetSites::resource),
                                                       detail::option("sites", &SetSites::sites));
template <>
inline constexpr auto kShape<CreatePolicy> = detail::shape("create-policy", detail::word("group", &CreatePolicy::group),
                                                           detail::word("resource", &CreatePolicy::resource));
template <>
inline constexpr auto kShape<DeletePolicy> = detail::shape("delete-policy", detail::word("group", &DeletePolicy::group),
                                                           detail::word("resource", &DeletePolicy::resource));
template <>
inline constexpr auto kShape<SetPolicyDisabled> = detail::shape(
    "set-policy-disabled", detail::word("group", &SetPolicyDisabled::group),
    detail::word("resource", &SetPolicyDisabled::resource), detail::word("yes or no", &SetPolicyDisabled::is_disabled));
template <>
inline constexpr auto kShape<JoinGroup> =
    detail::shape("join", detail::word("client", &JoinGroup::client), detail::word("group", &JoinGroup::group));
template <>
inline constexpr auto kShape<LeaveGroup> =
    detail::shape("leave", detail::word("client", &LeaveGroup::client), detail::word("group", &LeaveGroup::group));
template <>
inline constexpr auto kShape<RevokeToken> = detail::shape("revoke-token", detail::word("device", &RevokeToken::device));
template <>
inline constexpr auto kShape<RenameSite> = detail::shape("rename-site", detail::word("site", &RenameSite::site));
template <>
inline constexpr auto kShape<SetSearchDomain> =
    detail::shape("set-search-domain", detail::option("domain", &SetSearchDomain::domain));

template <>
inline constexpr auto kShape<Start> = detail::shape("start", detail::word("process", &Start::process));
template <>
inline constexpr auto kShape<Stop> = detail::shape("stop", detail::word("process", &Stop::process));
template <>
inline constexpr auto kShape<Crash> = detail::shape("crash", detail::word("process", &Crash::process));
template <>
inline constexpr auto kShape<Hang> =
    detail::shape("hang", detail::word("process", &Hang::process), detail::option("for", &Hang::duration));
template <>
inline constexpr auto kShape<Suspend> =
    detail::shape("suspend", detail::word("process", &Suspend::process), detail::option("for", &Suspend::duration));
template <>
inline constexpr auto kShape<Roam> = detail::shape("roam", detail::word("client", &Roam::client),
                                                   detail::option("gap", &Roam::gap), detail::fields_of(&Roam::access));
template <>
inline constexpr auto kShape<Reset> = detail::shape("reset", detail::word("client", &Reset::client));

template <>
inline constexpr auto kShape<Impairment> =
    detail::shape("impairment", detail::option("loss", &Impairment::loss), detail::option("burst", &Impairment::burst),
                  detail::option("duplicate", &Impairment::duplicate), detail::option("corrupt", &Impairment::corrupt),
                  detail::option("congestion", &Impairment::congestion), detail::option("delay", &Impairment::delay),
                  detail::option("jitter", &Impairment::jitter), detail::flag("reorders", &Impairment::reorders),
                  detail::option("rate", &Impairment::rate), detail::option("mtu", &Impairment::mtu));
template <>
inline constexpr auto kShape<ImpairLink> =
    detail::shape("impair", detail::word("device", &ImpairLink::device), detail::flag("only-down", &ImpairLink::up),
                  detail::flag("only-up", &ImpairLink::down), detail::fields_of(&ImpairLink::impairment),
                  detail::option("for", &ImpairLink::duration));
template <>
inline constexpr auto kShape<BlockDirect> =
    detail::shape("block-direct", detail::word("client", &BlockDirect::client),
                  detail::word("gateway", &BlockDirect::gateway), detail::option("for", &BlockDirect::duration));
template <>
inline constexpr auto kShape<BlockRelay> =
    detail::shape("block-relay", detail::word("device", &BlockRelay::device), detail::word("relay", &BlockRelay::relay),
                  detail::option("for", &BlockRelay::duration));
template <>
inline constexpr auto kShape<LoseFamily> =
    detail::shape("lose-family", detail::word("device", &LoseFamily::device),
                  detail::word("family", &LoseFamily::family), detail::option("for", &LoseFamily::duration));
template <>
inline constexpr auto kShape<RebootNat> = detail::shape("reboot-nat", detail::word("device", &RebootNat::device));
template <>
inline constexpr auto kShape<RenumberNat> = detail::shape("renumber-nat", detail::word("device", &RenumberNat::device));
template <>
inline constexpr auto kShape<ReplaceNat> =
    detail::shape("replace-nat", detail::word("device", &ReplaceNat::device), detail::fields_of(&ReplaceNat::nat));
template <>
inline constexpr auto kShape<SetClock> =
    detail::shape("set-clock", detail::word("gateway", &SetClock::gateway), detail::option("ahead", &SetClock::ahead),
                  detail::option("behind", &SetClock::behind));
template <>
inline constexpr auto kShape<CutPortal> =
    detail::shape("cut-portal", detail::word("device", &CutPortal::device), detail::option("after", &CutPortal::bytes));
template <>
inline constexpr auto kShape<PortalTrouble> =
    detail::shape("portal-trouble", detail::word("device", &PortalTrouble::device),
                  detail::word("fault", &PortalTrouble::fault), detail::option("for", &PortalTrouble::duration));

template <>
inline constexpr auto kShape<Forge> =
    detail::shape("forge", detail::word("client", &Forge::client), detail::word("gateway", &Forge::gateway),
                  detail::word("forgery", &Forge::forgery), detail::option("resource", &Forge::resource),
                  detail::option("victim", &Forge::victim), detail::option("count", &Forge::count));
template <>
inline constexpr auto kShape<Betray> =
    detail::shape("betray", detail::word("gateway", &Betray::gateway), detail::word("client", &Betray::client),
                  detail::word("betrayal", &Betray::betrayal), detail::option("resource", &Betray::resource),
                  detail::option("victim", &Betray::victim), detail::option("count", &Betray::count));
template <>
inline constexpr auto kShape<Attack> =
    detail::shape("attack", detail::word("target", &Attack::target), detail::word("spoof", &Attack::spoof),
                  detail::option("count", &Attack::count), detail::flag("forged-source", &Attack::forges_source));
template <>
inline constexpr auto kShape<AbuseRelay> =
    detail::shape("abuse-relay", detail::word("relay", &AbuseRelay::relay), detail::word("abuse", &AbuseRelay::abuse),
                  detail::option("count", &AbuseRelay::count));
template <>
inline constexpr auto kShape<Deceive> =
    detail::shape("deceive", detail::word("relay", &Deceive::relay), detail::word("deceit", &Deceive::deceit),
                  detail::option("for", &Deceive::duration));
template <>
inline constexpr auto kShape<Settle> = detail::shape("settle");

}  // namespace culvert::model
