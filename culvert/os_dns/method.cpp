#include "culvert/os_dns/method.h"

#include <array>
#include <utility>

namespace culvert::os_dns {
namespace {

constexpr std::array<std::pair<Method, std::string_view>, 3> kNames{{
    {Method::kSystemdResolved, "systemd-resolved"},
    {Method::kEtcResolvConf, "etc-resolv-conf"},
    {Method::kDisabled, "disabled"},
}};

}  // namespace

std::optional<Method> parse_method(std::string_view text) {
    for (const auto& [method, name] : kNames) {
        if (name == text) {
            return method;
        }
    }
    return std::nullopt;
}

std::string_view to_string(Method method) {
    for (const auto& [candidate, name] : kNames) {
        if (candidate == method) {
            return name;
        }
    }
    return {};
}

}  // namespace culvert::os_dns
