/* SPDX-License-Identifier: Apache-2.0 */
/* pay_page.h - what the pay page's two files share. Its handlers are declared in stripe.h. */
#ifndef SANDBOX_PAY_PAGE_H
#define SANDBOX_PAY_PAGE_H

extern const char sandbox_pay_style[];

#endif
