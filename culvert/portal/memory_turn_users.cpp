// The part of the storage in memory that holds the users of relays.

#include <algorithm>
#include <functional>

#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

void MemoryStorage::put(const TurnUser& user) {
    rows_.turn_users[user.salt] = {user, ++rows_.last_turn_user, false};
    std::vector<TurnUserRow*> of_device;
    for (auto& [salt, row] : rows_.turn_users) {
        if (row.user.device == user.device && !row.is_revoked) {
            of_device.push_back(&row);
        }
    }
    std::ranges::sort(of_device, std::greater{}, &TurnUserRow::number);
    for (std::size_t i = kTurnUsersPerDevice; i < of_device.size(); ++i) {
        of_device[i]->is_revoked = true;
    }
    // Only with tokens that are there: what was revoked with a token has the right to stay.
    std::vector<TurnUserRow*> former;
    for (auto& [salt, row] : rows_.turn_users) {
        if (row.user.device == user.device && row.is_revoked) {
            former.push_back(&row);
        }
    }
    std::ranges::sort(former, std::greater{}, &TurnUserRow::number);
    for (std::size_t i = kFormerTurnUsersPerDevice; i < former.size(); ++i) {
        if (rows_.tokens.contains(former[i]->user.token)) {
            rows_.turn_users.erase(std::string{former[i]->user.salt});
        }
    }
}

std::vector<RevokedTurnUser> MemoryStorage::revoked_turn_users(UnixSeconds now) {
    std::vector<const TurnUserRow*> rows;
    for (const auto& [salt, row] : rows_.turn_users) {
        if (row.is_revoked && row.user.until > now) {
            rows.push_back(&row);
        }
    }
    std::ranges::sort(rows, std::greater{}, &TurnUserRow::number);
    std::vector<RevokedTurnUser> revoked;
    for (const auto* row : rows) {
        revoked.push_back({row->user.salt, row->user.until});
    }
    return revoked;
}

void MemoryStorage::erase_expired_turn_users(UnixSeconds now) {
    std::erase_if(rows_.turn_users, [&](const auto& row) { return row.second.user.until <= now; });
}

/// What a database does by itself when the rows go that an entitlement rests on.
void MemoryStorage::revoke_turn_users() {
    for (auto& [salt, row] : rows_.turn_users) {
        row.is_revoked = row.is_revoked || rows_.revoked.contains(row.user.device) ||
                         !rows_.tokens.contains(row.user.token) ||
                         (!rows_.clients.contains(ClientId{row.user.device}) &&
                          !rows_.gateways.contains(GatewayId{row.user.device}));
    }
}

}  // namespace culvert::portal
