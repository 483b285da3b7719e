#include "culvert/portal_api/user_agent.h"

#include <string_view>

namespace culvert::portal_api {

std::string UserAgent::to_string() const {
    const std::string_view shown_version = os_version.empty() ? std::string_view{"Unknown"} : os_version;
    std::string text = os + "/" + std::string{shown_version} + " " + component + "/" + version;
    if (!arch.empty() || !kernel.empty()) {
        text += " (" + arch + (arch.empty() || kernel.empty() ? "" : "; ") + kernel + ")";
    }
    std::erase_if(text, [](char c) { return c < ' ' || c > '~'; });
    return text;
}

}  // namespace culvert::portal_api
