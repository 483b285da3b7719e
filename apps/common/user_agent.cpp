#include "apps/common/user_agent.h"

#include "culvert/portal_api/user_agent.h"

namespace culvert::command_line {

std::string user_agent(const io::HostInfo& host, std::string_view component, std::string_view version) {
    return portal_api::UserAgent{.os = host.os_name.empty() ? "Linux" : host.os_name,
                                 .os_version = host.os_version,
                                 .component = std::string{component},
                                 .version = std::string{version},
                                 .arch = host.architecture,
                                 .kernel = host.kernel}
        .to_string();
}

}  // namespace culvert::command_line
