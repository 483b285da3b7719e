#pragma once

#include <cstdint>

#include "culvert/base/uuid.h"
#include "tests/model/scenario/names.h"

/// Ids of what administrators create, known beforehand to world and reference model. Ids of devices come from the
/// portal, see SessionOpened.
namespace culvert::model {

namespace detail {

template <typename IdType>
[[nodiscard]] constexpr IdType make_id(std::uint8_t kind, std::uint8_t number, std::uint8_t generation = 0) {
    return IdType{Uuid{{kind, number, generation, 0, 0, 0, 0x40, 0, 0x80}}};
}

}  // namespace detail

[[nodiscard]] constexpr SiteId site_id(SiteNo site) {
    return detail::make_id<SiteId>(0x5e, site.value);
}
/// `generation`: how often the resource was created before.
[[nodiscard]] constexpr ResourceId resource_id(ResourceNo resource, std::uint8_t generation) {
    return detail::make_id<ResourceId>(0x4e, resource.value, generation);
}

}  // namespace culvert::model
