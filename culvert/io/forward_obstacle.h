#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace culvert::io {

/// The chains of other programs in a listing of all rules ("list ruleset" of nft) that drop what this machine forwards
/// unless a rule permits it, in tables that do not speak of our interface: nothing of ours gets past them, whatever our
/// own table says. Docker has such a chain. As nft names them, "ip filter FORWARD" for example.
[[nodiscard]] std::vector<std::string> forward_obstacles(std::string_view ruleset, std::string_view tun_name);

/// What to do about one, as commands.
[[nodiscard]] std::string advice_about(std::string_view chain, std::string_view tun_name);

}  // namespace culvert::io
