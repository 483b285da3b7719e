#include "culvert/os_dns/method.h"

#include <array>
#include <utility>

namespace culvert::os_dns {
namespace {

constexpr std::array<std::pair<DnsMethod, std::string_view>, 3> kNames{{
    {DnsMethod::kSystemdResolved, "systemd-resolved"},
    {DnsMethod::kEtcResolvConf, "etc-resolv-conf"},
    {DnsMethod::kDisabled, "disabled"},
}};

}  // namespace

std::optional<DnsMethod> parse_method(std::string_view text) {
    for (const auto& [method, name] : kNames) {
        if (name == text) {
            return method;
        }
    }
    return std::nullopt;
}

std::string_view to_string(DnsMethod method) {
    for (const auto& [candidate, name] : kNames) {
        if (candidate == method) {
            return name;
        }
    }
    return {};
}

}  // namespace culvert::os_dns
