#include "culvert/os_dns/no_control.h"

#include <poll.h>

#include <utility>

#include "culvert/os_dns/resolv_conf_reader.h"

namespace culvert::os_dns {

NoControl::NoControl(std::filesystem::path root) : root_{std::move(root)} {
    if (auto watch = FileWatch::open(root_, kResolvConf)) {
        watch_ = std::move(*watch);
    }
}

std::vector<net::IpAddress> NoControl::system_resolvers() {
    return read_resolv_conf(root_);
}

DnsControl::Wait NoControl::wait() const {
    return {.fd = watch_ ? watch_->fd() : -1, .events = POLLIN, .until = std::nullopt};
}

std::expected<bool, std::string> NoControl::process(Instant /*now*/) {
    return watch_ && watch_->take();
}

}  // namespace culvert::os_dns
