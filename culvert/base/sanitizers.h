#pragma once

/// CULVERT_HAS_SANITIZED_HEAP is 1 where a sanitizer brings a heap of its own, which wants to see who gives back what
/// and keeps freed memory as it pleases. Compilers say so differently: GCC defines __SANITIZE_ADDRESS__ and
/// __SANITIZE_THREAD__; Clang answers __has_feature.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CULVERT_HAS_SANITIZED_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CULVERT_HAS_SANITIZED_HEAP 1
#endif
#endif
#ifndef CULVERT_HAS_SANITIZED_HEAP
#define CULVERT_HAS_SANITIZED_HEAP 0
#endif
