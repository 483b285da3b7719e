#pragma once

#include <optional>
#include <string_view>

#include "culvert/portal/storage.h"

namespace culvert::admin {

/// Whose e-mail address it is, be its letters large or small; of several, one who has a password. Throws StorageError.
[[nodiscard]] std::optional<portal::Actor> find_by_email(portal::Storage& storage, const portal::Directory& directory,
                                                         std::string_view email);

}  // namespace culvert::admin
