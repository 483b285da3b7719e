#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "culvert/base/time.h"
#include "culvert/io/network_snapshot.h"
#include "culvert/io/network_watch.h"
#include "culvert/io/nftables_watch.h"
#include "culvert/io/pace.h"
#include "culvert/session/control_loop.h"

namespace culvert::session {

/// Follows what happens to the host around a device: what the device set up is put back when somebody else takes it
/// away, and a change of the host's own network is reported once it has settled. Lives on the control thread.
class HostWatch {
public:
    struct Handler {
        /// Puts back what is missing; whether anything was. The error is for a person.
        std::function<std::expected<bool, std::string>()> repair;
        /// Something about the host's routes, links or addresses changed.
        std::function<void()> follow_routes;
        /// Connections will notice: other addresses, another way out, or a network after there was none for so long.
        std::function<void(std::optional<Duration> without_network)> network_changed;
    };

    HostWatch(ControlLoop& loop, Handler handler) : loop_{loop}, handler_{std::move(handler)} {}
    HostWatch(const HostWatch&) = delete;
    HostWatch& operator=(const HostWatch&) = delete;

    /// `follows_routes`: whether routes matter that are no default routes. Without permission or memory for it: a
    /// warning, and nothing is watched.
    void watch_network(unsigned tun_index, bool follows_routes);
    void watch_nftables(const std::string& table);

    /// From now on nothing is called any more.
    void stop() { is_stopped_ = true; }

private:
    void note_change_of_host();
    void check_host_after(Duration delay);
    void check_host();
    void schedule_repair();
    void repair();

    ControlLoop& loop_;
    Handler handler_;
    bool is_stopped_ = false;

    std::optional<io::NetworkWatch> network_;
    std::optional<io::NftablesWatch> nftables_;
    std::optional<io::Netlink> netlink_;
    unsigned tun_index_ = 0;

    io::Pace repairs_;
    bool is_repair_scheduled_ = false;

    /// The last one that was not empty.
    io::NetworkSnapshot snapshot_;
    std::optional<Instant> without_network_since_;
    /// A neighbour who advertises routes and takes them back changes the host's network at will.
    io::Pace network_changes_;
    std::optional<Instant> first_change_;
    Instant last_change_{};
};

}  // namespace culvert::session
