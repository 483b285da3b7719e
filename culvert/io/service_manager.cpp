#include "culvert/io/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace culvert::io {
namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc{} && stop == end ? std::optional{number} : std::nullopt;
}

/// The watchdog may be meant for the process that started us.
std::optional<Duration> watchdog_in_environment() {
    const auto microseconds = number_in("WATCHDOG_USEC");
    const auto process = number_in("WATCHDOG_PID");
    constexpr std::uint64_t kLongest = 86'400'000'000;
    if (!microseconds || *microseconds == 0 || (process && *process != static_cast<std::uint64_t>(::getpid()))) {
        return std::nullopt;
    }
    return std::chrono::microseconds{std::min(*microseconds, kLongest)};
}

}  // namespace

ServiceManager::ServiceManager(const std::string& socket, std::optional<Duration> watchdog) : watchdog_{watchdog} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() < 2 || socket.size() > sizeof address.sun_path || (socket[0] != '/' && socket[0] != '@')) {
        return;
    }
    std::memcpy(address.sun_path, socket.data(), socket.size());
    if (socket[0] == '@') {
        address.sun_path[0] = '\0';
    }
    FileDescriptor opened{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
    if (opened.get() >= 0 && ::connect(opened.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) {
        socket_ = std::move(opened);
    }
}

ServiceManager ServiceManager::from_environment() {
    const char* const socket = std::getenv("NOTIFY_SOCKET");
    return socket != nullptr ? ServiceManager{socket, watchdog_in_environment()} : ServiceManager{};
}

void ServiceManager::status(std::string_view text) const {
    std::string line{"STATUS="};
    line += text;
    std::ranges::replace(line, '\n', ' ');
    send(line);
}

void ServiceManager::is_reloading(Instant now) const {
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void ServiceManager::send(std::string_view text) const {
    if (is_there()) {
        static_cast<void>(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    }
}

}  // namespace culvert::io
