#include "culvert/io/nftables_watch.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "culvert/io/netlink_message.h"

namespace culvert::io {
namespace {

/// Whether a notification is about `table`. Tables, chains, rules and sets all name their table first.
bool is_about(const nlmsghdr* header, std::string_view table) {
    if (header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) {
        return false;
    }
    static_assert(static_cast<int>(NFTA_TABLE_NAME) == static_cast<int>(NFTA_RULE_TABLE) &&
                  static_cast<int>(NFTA_TABLE_NAME) == static_cast<int>(NFTA_CHAIN_TABLE) &&
                  static_cast<int>(NFTA_TABLE_NAME) == static_cast<int>(NFTA_SET_TABLE));
    bool is_it = false;
    for_each_attribute(header, sizeof(nfgenmsg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
            is_it |= table == mnl_attr_get_str(attribute);
        }
    });
    return is_it;
}

}  // namespace

void NftablesWatch::Closer::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

NftablesWatch::~NftablesWatch() = default;
NftablesWatch::NftablesWatch(NftablesWatch&&) noexcept = default;
NftablesWatch& NftablesWatch::operator=(NftablesWatch&&) noexcept = default;

std::expected<NftablesWatch, std::error_code> NftablesWatch::open(std::string table) {
    NftablesWatch watch{std::move(table)};
    watch.socket_.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK));
    int group = NFNLGRP_NFTABLES;
    if (!watch.socket_ || mnl_socket_bind(watch.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_setsockopt(watch.socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        return std::unexpected{std::error_code{errno, std::generic_category()}};
    }
    return watch;
}

int NftablesWatch::fd() const {
    return mnl_socket_get_fd(socket_.get());
}

bool NftablesWatch::take() {
    struct Visitor {
        std::string_view table;
        bool has_changed;
        static int call(const nlmsghdr* header, void* self) {
            auto& visitor = *static_cast<Visitor*>(self);
            visitor.has_changed |= is_about(header, visitor.table);
            return MNL_CB_OK;
        }
    } visitor{table_, false};

    constexpr int kMostReads = 256;
    alignas(nlmsghdr) std::array<char, 65536> buffer;
    for (int i = 0; i < kMostReads; ++i) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) {
            if (errno == ENOBUFS) {  // more than fitted: ours may have been among them
                visitor.has_changed = true;
                continue;
            }
            break;
        }
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0, &Visitor::call, &visitor);
    }
    return visitor.has_changed;
}

}  // namespace culvert::io
