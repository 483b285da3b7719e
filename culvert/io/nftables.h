#pragma once

#include <expected>
#include <string>

namespace culvert::io {

/// Runs nftables commands of this network namespace in one transaction: all of them or none. What they print comes
/// back, without the elements of sets, which traffic may change at any time; the error is what libnftables says.
/// Requires CAP_NET_ADMIN.
[[nodiscard]] std::expected<std::string, std::string> run_nft(const std::string& commands);

}  // namespace culvert::io
