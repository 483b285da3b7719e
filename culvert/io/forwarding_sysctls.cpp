#include "culvert/io/forwarding_sysctls.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace culvert::io {
namespace {

const std::string kIpv4 = "net/ipv4/conf/";
const std::string kIpv6 = "net/ipv6/conf/";

/// The interfaces that have settings in `folder`, and "default"; without "all" and the tunnel.
std::vector<std::string> interfaces_in(const std::string& folder, const std::string& tun_name) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/sys/" + folder, error}) {
        if (auto name = entry.path().filename().string(); name != "all" && name != tun_name) {
            names.push_back(std::move(name));
        }
    }
    std::ranges::sort(names);
    return names;
}

/// One value for all was 0, but single interfaces may forward: they get 0 and 1 together with the others, and their own
/// value back at the end.
std::vector<std::string> keep_single_routers(const std::string& folder, const std::string& tun_name,
                                             std::vector<SysctlChange>& changes) {
    std::vector<std::string> routers;
    for (const auto& name : interfaces_in(folder, tun_name)) {
        const auto setting = folder + name + "/forwarding";
        if (read_sysctl(setting) == "1") {
            changes.push_back({setting, "1", "1"});
            if (name != "default") {
                routers.push_back(name);
            }
        }
    }
    return routers;
}

void survey_ipv4(const std::string& tun_name, ForwardingSurvey& survey) {
    auto& changes = survey.changes;
    const auto mark = kIpv4 + "all/src_valid_mark";
    if (const auto value = read_sysctl(mark); value && *value != "1") {
        changes.push_back({mark, *value, "1"});
    }
    if (read_sysctl("net/ipv4/ip_forward") != "0") {
        survey.ipv4_routers = std::nullopt;
        return;
    }
    // Switching forwarding on makes the kernel ignore ICMP redirects, and switching it off makes it believe them again,
    // also where that was forbidden before.
    const auto redirects = kIpv4 + "all/accept_redirects";
    if (const auto value = read_sysctl(redirects)) {
        changes.push_back({redirects, *value, "0"});
    }
    survey.ipv4_routers = keep_single_routers(kIpv4, tun_name, changes);
    changes.push_back({"net/ipv4/ip_forward", "0", "1"});
}

void survey_ipv6(const std::string& tun_name, ForwardingSurvey& survey) {
    auto& changes = survey.changes;
    const auto forwarding = read_sysctl(kIpv6 + "all/forwarding");
    if (forwarding != "0") {
        if (forwarding) {
            survey.ipv6_routers = std::nullopt;
        }
        return;  // or without IPv6
    }
    for (const auto& name : interfaces_in(kIpv6, tun_name)) {
        const auto setting = kIpv6 + name + "/accept_ra";
        if (name != "lo" && read_sysctl(setting) == "1" && read_sysctl(kIpv6 + name + "/forwarding") == "0") {
            changes.push_back({setting, "1", "2"});
        }
    }
    survey.ipv6_routers = keep_single_routers(kIpv6, tun_name, changes);
    changes.push_back({kIpv6 + "all/forwarding", "0", "1"});
}

}  // namespace

ForwardingSurvey survey_forwarding(const std::string& tun_name) {
    ForwardingSurvey survey{
        .ipv4_routers = std::vector<std::string>{}, .ipv6_routers = std::vector<std::string>{}, .changes = {}};
    survey_ipv4(tun_name, survey);
    survey_ipv6(tun_name, survey);
    return survey;
}

}  // namespace culvert::io
