#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "apps/portal/inventory.h"

namespace culvert::portal_server {

/// Warns in time of tokens that devices use and that are about to expire: those devices will be cut off.
class ExpiryWatch {
public:
    /// To be called now and then with all tokens. Warns of each that is due once a day.
    void look_at(const std::vector<TokenListing>& tokens, UnixSeconds now);

    /// How many tokens were due when it looked last.
    [[nodiscard]] std::size_t count() const { return warned_at_.size(); }

private:
    std::map<portal::TokenId, UnixSeconds> warned_at_;
};

}  // namespace culvert::portal_server
