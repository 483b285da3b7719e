#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"
#include "culvert/io/file_descriptor.h"

namespace culvert::io {

/// What the service manager that started us is told: systemd, or whoever else listens where $NOTIFY_SOCKET says.
/// Without it nothing happens, and nothing ever waits. Source: sd_notify(3), sd_watchdog_enabled(3).
class ServiceManager {
public:
    ServiceManager() = default;
    /// `socket`: a path, or the name of an abstract socket behind an "@". Connects at once, because later this process
    /// may not be allowed to.
    explicit ServiceManager(const std::string& socket, std::optional<Duration> watchdog = std::nullopt);

    /// As the environment has it. Call it before there are other threads.
    [[nodiscard]] static ServiceManager from_environment();

    [[nodiscard]] bool is_there() const { return socket_.get() >= 0; }
    /// Within this time is_alive() must be called again and again.
    [[nodiscard]] std::optional<Duration> watchdog() const { return watchdog_; }

    void is_ready() const { send("READY=1"); }
    void is_alive() const { send("WATCHDOG=1"); }
    /// One line for people, shown by "systemctl status".
    void status(std::string_view text) const;
    /// The configuration is being read again; is_ready() tells the end.
    void is_reloading(Instant now) const;
    void is_stopping() const { send("STOPPING=1"); }

private:
    void send(std::string_view text) const;

    FileDescriptor socket_;
    std::optional<Duration> watchdog_;
};

}  // namespace culvert::io
