#include "user_agent.h"

#include <sys/utsname.h>

#include <fstream>
#include <string_view>

#include "culvert/portal_api/user_agent.h"

namespace culvert::relay {
namespace {

/// A value of /etc/os-release (man os-release), without quotes; empty if unknown.
std::string os_release(std::string_view key) {
    std::ifstream file{"/etc/os-release"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == '=') {
            auto value = line.substr(key.size() + 1);
            std::erase(value, '"');
            return value;
        }
    }
    return {};
}

}  // namespace

std::string user_agent() {
    auto os = os_release("NAME");
    utsname machine{};
    const bool is_known = ::uname(&machine) == 0;
    return portal_api::UserAgent{.os = os.empty() ? "Linux" : os,
                                 .os_version = os_release("VERSION_ID"),
                                 .component = "relay",
                                 .version = CULVERT_VERSION,
                                 .arch = is_known ? machine.machine : "",
                                 .kernel = is_known ? machine.release : ""}
        .to_string();
}

}  // namespace culvert::relay
