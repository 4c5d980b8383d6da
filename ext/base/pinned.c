#include "base/pinned.h"

#include "base/windows.h"

void pinned_keep(void)
{
#ifdef _WIN32
    HMODULE kept;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                       (LPCWSTR)(void *)pinned_keep, &kept);
#endif
}
