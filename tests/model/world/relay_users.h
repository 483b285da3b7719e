#pragma once

#include <map>
#include <string>
#include <string_view>

namespace culvert::model {

/// What a relay keeps for each of its users: their allocations with all that belongs to them, by the user's address as
/// the relay writes it.
using RelayUsers = std::map<std::string, std::string, std::less<>>;

/// Reads a relay's snapshot.
[[nodiscard]] RelayUsers read_relay_users(std::string_view snapshot);

/// Whether both are the same but for what they keep for `user`.
[[nodiscard]] bool differ_only_for(std::string_view user, const RelayUsers& before, const RelayUsers& after);

}  // namespace culvert::model
