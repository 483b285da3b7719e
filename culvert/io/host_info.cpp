#include "culvert/io/host_info.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <string_view>

namespace culvert::io {
namespace {

/// A value of /etc/os-release (man os-release), without quotes.
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

std::optional<std::string> first_line(const char* path) {
    std::ifstream file{path};
    std::string line;
    if (!std::getline(file, line) || line.empty()) {
        return std::nullopt;
    }
    return line;
}

}  // namespace

HostInfo read_host_info() {
    HostInfo info{.os_name = os_release("NAME"),
                  .os_version = os_release("VERSION_ID"),
                  .serial = first_line("/sys/class/dmi/id/product_serial"),
                  .uuid = first_line("/sys/class/dmi/id/product_uuid")};
    utsname machine{};
    if (::uname(&machine) == 0) {
        info.kernel = machine.release;
        info.architecture = machine.machine;
        info.host_name = machine.nodename;
    }
    return info;
}

}  // namespace culvert::io
