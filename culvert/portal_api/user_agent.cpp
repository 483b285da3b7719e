#include "culvert/portal_api/user_agent.h"

#include <algorithm>
#include <string_view>

namespace culvert::portal_api {
namespace {

/// "Debian GNU/Linux" is known as "Debian".
std::string without_slash(std::string_view os) {
    std::string name{os.substr(0, os.find(" GNU/Linux"))};
    std::ranges::replace(name, '/', ' ');
    return name;
}

}  // namespace

std::string UserAgent::to_string() const {
    const std::string_view shown_version = os_version.empty() ? std::string_view{"Unknown"} : os_version;
    std::string text = without_slash(os) + "/" + std::string{shown_version} + " " + component + "/" + version;
    if (!arch.empty() || !kernel.empty()) {
        text += " (" + arch + (arch.empty() || kernel.empty() ? "" : "; ") + kernel + ")";
    }
    std::erase_if(text, [](char c) { return c < ' ' || c > '~'; });
    return text;
}

}  // namespace culvert::portal_api
