#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/os_dns/keeper.h"
#include "culvert/os_dns/keeper_messages.h"
#include "culvert/os_dns/settings.h"

namespace culvert::os_dns {

/// The machine's DNS as the control thread of a client sees it: says what it shall be, hears what happens, and never
/// waits but at start and end. What is done, and with which privileges, is the keeper's business (keeper.h).
class HostDns {
public:
    using Event = std::variant<SystemResolvers, Applied, Failed>;

    /// Puts back what a killed predecessor left. The first event says whom the machine asks. Call it as root, or
    /// whoever may change the machine's DNS, before there is a second thread. The error is for a person.
    [[nodiscard]] static std::expected<std::unique_ptr<HostDns>, std::string> start(const KeeperOptions& options);
    /// As end(); waits until all is as before, for kKeeperEndLimit at the most.
    ~HostDns();
    HostDns(const HostDns&) = delete;
    HostDns& operator=(const HostDns&) = delete;

    /// Readable when there are events, and after Failed or end().
    [[nodiscard]] int fd() const { return line_.get(); }
    /// Those that came since the last call. After Failed nothing comes any more.
    [[nodiscard]] std::vector<Event> take_events();

    /// Answered by Applied or Failed; if it is called again before that, only the last one counts.
    void apply(Settings settings);
    void flush_caches();
    /// Everything as before. The last call; there are no events any more.
    void end();

private:
    explicit HostDns(io::FileDescriptor line) : line_{std::move(line)} {}

    /// The next report; nullopt if there is none yet. The end of the line is a failure.
    [[nodiscard]] std::optional<Report> receive();
    [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point limit) const;
    std::expected<void, std::string> wait_for_start();
    void send(const KeeperRequest& request);
    void note(const Notice& notice) const;

    io::FileDescriptor line_;
    bool is_closed_ = false;
    bool has_failed_ = false;
    bool is_applying_ = false;
    std::optional<Settings> apply_next_;
    bool is_flushing_ = false;
    bool must_flush_again_ = false;
};

}  // namespace culvert::os_dns
