#include "models/core/task.h"

#include <array>
#include <new>

namespace iommusim {

namespace {

// Frames are rounded up to whole cache lines; larger ones than the last class are rare and go to the
// allocator.
constexpr std::size_t granule = 64;
constexpr std::size_t classes = 33;

struct FreeFrame {
    FreeFrame* next;
};

#if !defined(__SANITIZE_ADDRESS__)
std::array<FreeFrame*, classes> free_frames{}; // one simulation thread: SystemC's
#endif

} // namespace

void* FramePool::allocate(std::size_t bytes) {
#if !defined(__SANITIZE_ADDRESS__)
    const std::size_t index = (bytes + granule - 1) / granule;
    if (index < classes) {
        if (FreeFrame* frame = free_frames[index]) {
            free_frames[index] = frame->next;
            return frame;
        }
        return ::operator new(index* granule);
    }
#endif
    return ::operator new(bytes);
}

void FramePool::release(void* frame, [[maybe_unused]] std::size_t bytes) noexcept {
#if !defined(__SANITIZE_ADDRESS__)
    const std::size_t index = (bytes + granule - 1) / granule;
    if (index < classes) {
        free_frames[index] = new (frame) FreeFrame{free_frames[index]};
        return;
    }
#endif
    ::operator delete(frame);
}

void ProcessList::destroy_all() {
    while (first_)
        std::coroutine_handle<Process::promise_type>::from_promise(*first_).destroy();
}

} // namespace iommusim
