#include "culvert/os_dns/resolv_conf_reader.h"

#include <fstream>
#include <string>

#include "culvert/os_dns/etc_resolv_conf.h"
#include "culvert/os_dns/resolv_conf_text.h"
#include "culvert/os_dns/settings.h"

namespace culvert::os_dns {
namespace {

constexpr std::size_t kMaxSize = std::size_t{64} * 1024;

/// As far as it can be read.
std::string text_of(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        return {};  // a pipe would keep us waiting
    }
    std::ifstream file{path, std::ios::binary};
    std::string text(kMaxSize, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

}  // namespace

std::vector<net::IpAddress> read_resolv_conf(const std::filesystem::path& root) {
    const auto folder = root / "etc";
    auto text = text_of(folder / kLiveName);
    if (is_ours(text)) {
        text = text_of(folder / kBackupName);
    }
    return without_sentinels(nameservers(text));
}

}  // namespace culvert::os_dns
