#include "culvert/io/tun_obstacle.h"

#include <linux/if_link.h>
#include <linux/if_tun.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "culvert/io/netlink.h"

namespace culvert::io {
namespace {

const std::string kNode = kTunNode;

/// What to say of the interface that has the name already; nullopt: nothing explains the failure.
std::optional<std::string> describe_obstacle(const std::string& name) {
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::nullopt;
    }
    const auto found = netlink->interface_kind(name);
    if (!found) {
        return std::nullopt;
    }
    const auto removal = "remove it (\"ip link delete " + name + "\")";
    if (found->kind != "tun") {
        const auto what = found->kind.empty() ? std::string{"device"} : "\"" + found->kind + "\" interface";
        return "Another " + what + " has this name: " + removal + " or give it another name.";
    }
    if (!found->is_layer3) {
        return "A TAP device has this name: stop the program that created it, or " + removal + ".";
    }
    if (found->is_multi_queue) {
        return "A TUN device with several queues, as other VPN clients create it, has this name: stop the program that "
               "uses it; if none does, " +
               removal + ".";
    }
    return std::nullopt;
}

}  // namespace

std::string explain_node_failure(int error_number) {
    const std::string reason = std::strerror(error_number);
    switch (error_number) {
        case EACCES:
            return "This user may not open " + kNode + ": " + reason + ". Run as root, or let it (\"chmod 0666 " +
                   kNode + "\"); CAP_NET_ADMIN alone is not enough.";
        case EPERM:
            return "Opening " + kNode + " is forbidden here: " + reason +
                   ". Let the container use the device (\"--device " + kNode + "\").";
        case ENOENT:
            return kNode + " is missing and cannot be created. Load the kernel's module \"tun\", and pass " + kNode +
                   " into the container if there is one.";
        case ENODEV:
        case ENXIO:
            return "The kernel has no TUN support: " + reason + ". Load its module \"tun\".";
        default:
            return "Cannot open " + kNode + ": " + reason + ".";
    }
}

std::string explain_interface_failure(const std::string& name, int error_number) {
    const std::string reason = std::string{std::strerror(error_number)} + ".";
    switch (error_number) {
        case EPERM:
        case EACCES:
            return reason + " Run as root or grant CAP_NET_ADMIN.";
        case EINVAL:
        case EBUSY:
        case EEXIST:
            if (const auto obstacle = describe_obstacle(name)) {
                return *obstacle;
            }
            return error_number == EBUSY ? reason + " Another process uses this interface: stop it first." : reason;
        case ENOTTY:
            return kNode +
                   " is something else than the TUN driver's device (character device 10:200): remove it, and it "
                   "will be created anew.";
        default:
            return reason;
    }
}

}  // namespace culvert::io
