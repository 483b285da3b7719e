#pragma once

#include <vector>

#include "tests/model/choice/choice_source.h"
#include "tests/model/scenario/decode.h"
#include "tests/model/scenario/setup.h"

namespace culvert::model {

/// How a case begins. An exhausted source gives one of each, connected without obstacles.
[[nodiscard]] Setup draw_setup(ChoiceSource& source, const DecodeOptions& options);

// What actions draw, too.

/// Of a client's host; never on a shared LAN.
[[nodiscard]] Access draw_access(ChoiceSource& source);
[[nodiscard]] NatBox draw_nat(ChoiceSource& source);
/// A network of a resource. Half of them are, or are part of, one of `others`.
[[nodiscard]] net::IpNetwork draw_network(ChoiceSource& source, const std::vector<net::IpNetwork>& others);
/// None to three.
[[nodiscard]] std::vector<portal_api::Filter> draw_filters(ChoiceSource& source);
/// One or more of 1 to `count`, ascending.
[[nodiscard]] std::vector<SiteNo> draw_sites(ChoiceSource& source, std::uint8_t count);

}  // namespace culvert::model
